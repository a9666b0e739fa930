"""``GET /brand``, ``/recording``, ``/media`` and ``/pool``: what the account has."""

from airflow_provider_dropcowboy.sandbox import catalog, validation
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.wire import Answer, Ask, RefusedError, json_answer


class Account:
    """Reads the built-in catalog."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def brands(self, ask: Ask) -> Answer:
        """``GET /brand``."""
        return self._rows(ask, catalog.BRANDS)

    def recordings(self, ask: Ask) -> Answer:
        """``GET /recording``, filtered by ``api_allowed`` where the query has it."""
        validation.require_headers(ask, self._settings)
        wanted = ask.query.get("api_allowed")
        if wanted is None:
            return json_answer(catalog.RECORDINGS)
        if wanted not in {"true", "false"}:
            raise RefusedError(400, "Invalid api_allowed: true or false", field_name="api_allowed")
        return json_answer([row for row in catalog.RECORDINGS if row["api_allowed"] is (wanted == "true")])

    def media(self, ask: Ask) -> Answer:
        """``GET /media``: the same rows as ``/recording``."""
        return self._rows(ask, catalog.RECORDINGS)

    def pools(self, ask: Ask) -> Answer:
        """``GET /pool``."""
        return self._rows(ask, catalog.POOLS)

    def _rows(self, ask: Ask, rows: list[dict[str, object]]) -> Answer:
        validation.require_headers(ask, self._settings)
        return json_answer(rows)
