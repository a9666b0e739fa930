"""Whose API account, and where it is."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret

DEFAULT_BASE_URL: Final = "https://api.dropcowboy.com/v1"


@dataclass(frozen=True, slots=True)
class Account:
    """A team's credentials at one host.

    :param base_url: scheme, host and path prefix, without a trailing slash.
    """

    team_id: str
    secret: Secret
    base_url: str = DEFAULT_BASE_URL

    def __post_init__(self) -> None:
        if not self.team_id or not self.secret:
            raise ConfigurationError(
                "The Drop Cowboy connection lacks its team id (login) or its secret (password). Nothing was sent. "
                "Set both in the connection."
            )
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(
                "The host of the Drop Cowboy connection is no http(s) base URL. Nothing was sent. "
                f"Leave it empty for {DEFAULT_BASE_URL}, or write it like https://host:port/v1."
            )

    @property
    def name(self) -> str:
        """``team id @ host``: what separates a trial on the sandbox from production in one ledger."""
        return f"{self.team_id}@{urlsplit(self.base_url).netloc.lower()}"

    def headers(self) -> dict[str, str]:
        """Credentials as every route wants them (API v1, ``x-team-id`` and ``x-secret``)."""
        return {"x-team-id": self.team_id, "x-secret": self.secret.reveal()}
