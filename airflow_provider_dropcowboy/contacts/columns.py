"""Finding the column a user named, in rows that come from anywhere."""

from collections.abc import Generator, Iterable, Mapping
from itertools import chain, islice
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError

LOOK_AHEAD_ROWS: Final = 1_000


def find_column(name: str, row: Mapping[str, object]) -> str:
    """The row's own spelling of a column: exactly as named, else the one that differs in upper and lower case alone.

    Snowflake and Oracle return ``PHONE`` for what the query calls ``phone``.

    :raises ConfigurationError: no such column, with the names there are; or two that differ in case alone.
    """
    if name in row:
        return name
    folded = name.casefold()
    alike = [column for column in row if column.casefold() == folded]
    if len(alike) == 1:
        return alike[0]
    there_are = ", ".join(alike or row) or "none"
    if alike:
        raise ConfigurationError(
            f"Column {name!r} could be any of {there_are}. Write it exactly as the source spells the one you mean."
        )
    raise ConfigurationError(
        f"The source has no column {name!r}; there are: {there_are}. Name one of these, or add it to the query or file."
    )


def with_all_columns(rows: Iterable[Mapping[str, object]]) -> Generator[Mapping[str, object], None, None]:
    """The same rows, each with every column that the first thousand have among them; what a row lacks is None.

    JSON leaves out what is NULL: without this, a first row without a name would read as a source without that column.
    """
    rest = iter(rows)
    first = list(islice(rest, LOOK_AHEAD_ROWS))
    columns = dict.fromkeys(column for row in first for column in row)
    for row in chain(first, rest):
        yield row if row.keys() >= columns.keys() else {**columns, **row}
