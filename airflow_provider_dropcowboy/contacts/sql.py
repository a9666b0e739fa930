"""Rows of a user's query, streamed: memory holds one chunk of them."""

import re
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError, SourceError

if TYPE_CHECKING:
    from sqlalchemy import Engine

CHUNK_ROWS: Final = 2_000

Parameters = Mapping[str, object] | Sequence[object]
Row = dict[str, object]


class Cursor(Protocol):
    """An open DB-API 2 cursor (PEP 249); the caller closes it."""

    @property
    def description(self) -> Sequence[Sequence[object]] | None:
        """One entry a column, the name first; None when the statement returns no rows."""

    def execute(self, operation: str, parameters: Parameters = ..., /) -> object:
        """Run a statement."""

    def fetchmany(self, size: int, /) -> Sequence[Sequence[object]]:
        """The next rows; empty at the end."""


def stream_engine(
    engine: "Engine", sql: str, *, parameters: Parameters | None = None, chunk_rows: int = CHUNK_ROWS
) -> Generator[Row, None, None]:
    """The rows of a query, read by a server-side cursor where the database has one.

    The connection is held until the last row or until the generator is closed. It is never committed: the query is to
    read, and what it writes is rolled back where the database does not commit by itself.

    :param sql: as the driver takes it: its own placeholders (``%(day)s`` for psycopg, ``:day`` for SQLite). A literal
        ``%`` is written once without ``parameters``, and as the driver wants it (``%%``) with them.
    :param parameters: by name or by position.
    :param chunk_rows: rows fetched at a time; what memory holds.
    :raises ConfigurationError: the query is wrong, returns no rows, or two columns of one name; before the first row.
    :raises SourceError: the database was not reached, or failed on the way.
    """
    from sqlalchemy.exc import SQLAlchemyError

    bound = _bind(parameters)
    # without parameters the driver must not see any, or it would take a literal % for a placeholder
    options = {"stream_results": True, "yield_per": chunk_rows, "no_parameters": True}
    read_rows = 0
    description = None
    try:
        with (
            engine.connect() as connection,
            connection.exec_driver_sql(sql, bound, execution_options=options) as result,
        ):
            description = result.cursor.description if result.returns_rows else None
            names = _column_names(description)
            while chunk := result.fetchmany(chunk_rows):
                for row in chunk:
                    yield dict(zip(names, row, strict=True))
                read_rows += len(chunk)
    except (SQLAlchemyError, *_VALUE_ERRORS) as error:
        # SQLAlchemy's own message would print the parameters
        # the first rows are fetched as part of the execution, before there is a description
        raise _fetch_error(getattr(error, "orig", None) or error, read_rows, description) from None


def stream_cursor(
    cursor: Cursor, sql: str, *, parameters: Parameters | None = None, chunk_rows: int = CHUNK_ROWS
) -> Generator[Row, None, None]:
    """The rows of a query through an open cursor, for databases without a SQLAlchemy dialect.

    Memory is as flat as the driver's cursor: some fetch the whole result when they execute.

    :param sql: as for :func:`stream_engine`.
    :raises ConfigurationError: as for :func:`stream_engine`.
    :raises SourceError: as for :func:`stream_engine`.
    """
    bound = _bind(parameters)
    read_rows = 0
    try:
        if bound:
            cursor.execute(sql, bound)
        else:
            cursor.execute(sql)
    except Exception as error:  # noqa: BLE001 - only the driver knows its classes, and their texts may hold values
        raise _query_error(error, read_rows) from None
    names = _column_names(cursor.description)
    while True:
        try:
            chunk = cursor.fetchmany(chunk_rows)
        except Exception as error:  # noqa: BLE001 - as above
            raise _fetch_error(error, read_rows, cursor.description) from None
        if not chunk:
            return
        for row in chunk:
            yield dict(zip(names, row, strict=True))
        read_rows += len(chunk)


_USER_ERRORS: Final = frozenset({"ProgrammingError", "DataError", "NotSupportedError", "IntegrityError"})
_ERRORS_WITH_VALUES: Final = frozenset({"DataError", "IntegrityError"})
_PERSONAL: Final = re.compile(r"\+?[0-9][0-9 ().-]{5,}[0-9]|\S+@\S+")


def _bind(parameters: Parameters | None) -> dict[str, object] | tuple[object, ...]:
    """Parameters as DB-API and SQLAlchemy want them: a list would be taken for many executions."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    if isinstance(parameters, str | bytes):
        raise ConfigurationError("parameters is one text. Hand over a dict by name, or a list by position.")
    return tuple(parameters or ())


def _column_names(description: Sequence[Sequence[object]] | None) -> tuple[str, ...]:
    if description is None:
        raise ConfigurationError("The query returns no rows. It must be a SELECT.")
    names = tuple(str(column[0]) for column in description)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"The query returns two columns named {', '.join(twice)}. Give each its own name with AS."
        )
    return names


def _fetch_error(
    error: BaseException, read_rows: int, description: Sequence[Sequence[object]] | None
) -> DropCowboyError:
    """What stopped the reading of rows: a value that the driver cannot turn into Python's, or the database."""
    is_of_a_value = isinstance(error, _VALUE_ERRORS) or "DataError" in {cls.__name__ for cls in type(error).__mro__}
    undecoded = _UNDECODED.match(str(error))
    # psycopg and psycopg2 name the state of a server's error so; a driver's own has none
    is_of_the_server = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if is_of_the_server or not (is_of_a_value or undecoded):
        return _query_error(error, read_rows)
    first_line = next(iter(str(error).splitlines()), "")
    why = _AFTER_REASON.split(first_line, maxsplit=1)[0].strip() or type(error).__name__
    names = [undecoded[1]] if undecoded else _columns_of_type(why.partition(" ")[0], description or ())
    which = f"The value of column {' or '.join(names)}" if names else "A value of a column"
    why = "not UTF-8" if undecoded else _PERSONAL.sub("***", why)
    return ConfigurationError(
        f"{which} cannot be read by the database's driver, after {read_rows} rows: {why}. The query itself ran. "
        "Leave the column out if it is not used, or cast it to text; then run again: nobody is contacted twice."
    )


_VALUE_ERRORS: Final = (ValueError, OverflowError, ArithmeticError)
_UNDECODED: Final = re.compile(r"Could not decode to UTF-8 column '([^']*)'")  # sqlite3; what follows is the value
_AFTER_REASON: Final = re.compile(
    r"[:(']"
)  # drivers quote the value behind one of these: "timestamp too large (…): '…'"


def _columns_of_type(word: str, description: Sequence[Sequence[object]]) -> list[str]:
    """The columns of the type that a driver's error begins with, where the driver names types (psycopg)."""
    displayed = [(str(column[0]), str(getattr(column, "type_display", ""))) for column in description]
    return [name for name, kind in displayed if word and kind.startswith(word)]


def _query_error(error: BaseException, read_rows: int) -> DropCowboyError:
    """What the database said, without a person's values: its text may quote the parameters, the query or a cell."""
    classes = {cls.__name__ for cls in type(error).__mro__}
    sqlstate = str(getattr(error, "sqlstate", None) or "")
    said = f"{type(error).__name__} {sqlstate}".strip()
    if not classes & _ERRORS_WITH_VALUES and not sqlstate.startswith(("22", "23")):
        first_line = next(iter(str(error).splitlines()), "")
        said = f"{said}: {_PERSONAL.sub('***', first_line)}"
    if classes & _USER_ERRORS and not read_rows:
        return ConfigurationError(f"The database refused the query: {said}. Correct the query or its parameters.")
    return SourceError(f"The database failed after {read_rows} rows: {said}. Running again asks nobody twice.")
