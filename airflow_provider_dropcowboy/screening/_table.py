"""One table of a TOML file, read key by key; what is wrong with it is said in the user's words."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

from airflow_provider_dropcowboy.errors import ConfigurationError


class Table:
    """A table whose keys are read one after the other; at the :meth:`end` none may be left.

    :param where: the table, as a person finds it: ``the file of calling hours, [[rule]] 3``.
    """

    def __init__(self, values: Mapping[str, object], *, where: str) -> None:
        self._values = values
        self._where = where
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def wrong(self, key: str, what: str, mend: str) -> ConfigurationError:
        """The error to raise: which key of which table, what is wrong with it, what to write instead."""
        region = self._values.get("region")
        of = f" ({region})" if isinstance(region, str) else ""
        return ConfigurationError(f"In {self._where}{of}: {key} {what}. {mend} Nothing was sent.")

    def text(self, key: str, default: str | None = None) -> str:
        """Text that says something."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.wrong(key, "is not text", f'Write {key} = "…".')
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        value = self._take(key, list(default) or None)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
            raise self.wrong(key, "is not a list of texts", f'Write {key} = ["…"].')
        return tuple(values)

    def number(self, key: str, default: int | None, *, low: int) -> int:
        """A whole number, at least ``low``."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise self.wrong(key, f"is not a whole number from {low} on", f"Write {key} = {max(low, 15)}.")
        return value

    def day(self, key: str, default: date | None) -> date | None:
        """A date, or ``default``."""
        value = self._values.get(key, default)
        self._taken.add(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.wrong(key, "is not a date", f"Write {key} = 2028-12-31, without quotation marks.")
        return value

    def days(self, key: str) -> list[date]:
        """A list of dates; it may be empty."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(type(item) is date for item in value):
            raise self.wrong(
                key, "is not a list of dates", f'Write "{key}" = [2027-12-24], without quotation marks inside.'
            )
        return value

    def instant(self, key: str) -> datetime:
        """A moment, in UTC."""
        value = self._take(key, None)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.wrong(
                key, "is not a point in time", f"Write {key} = 2026-12-01T00:00:00-05:00, with its offset from UTC."
            )
        return value.astimezone(UTC)

    def table(self, key: str) -> "Table":
        """The table of that name below this one."""
        value = self._take(key, None)
        if not isinstance(value, dict):
            raise self.wrong(key, "is not a table", f"Write [{key}] and its lines below it.")
        return Table(value, where=f"{self._where}, {key}")

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables of that name below this one, if there are any."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "is not a list of tables", f"Write [[{key}]] above each.")
        for number, item in enumerate(value, start=1):
            yield Table(item, where=f"{self._where}, [[{key}]] {number}")

    def end(self) -> None:
        """Nothing is left over: a misspelt key would be a rule that is not kept.

        :raises ConfigurationError: it names the key.
        """
        if left := sorted(set(self._values) - self._taken):
            raise self.wrong(left[0], "is unknown here", f"Known are {', '.join(sorted(self._taken))}.")

    def _take(self, key: str, default: object) -> object:
        self._taken.add(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing", f"Write {key}, as docs/screening.md says.")
        return value
