"""Rows of a user's query, streamed: memory holds one chunk of them."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib import import_module
from inspect import getgeneratorlocals
from itertools import chain, islice
from socket import SHUT_RDWR
from typing import Any, Final, Protocol

from airflow_provider_dropcowboy.contacts.sql_errors import connect_error, execute_error, fetch_error
from airflow_provider_dropcowboy.errors import ConfigurationError

CHUNK_ROWS: Final = 2_000

Parameters = Mapping[str, object] | Sequence[object]
Row = dict[str, object]


class Cursor(Protocol):
    """An open DB-API 2 cursor (PEP 249)."""

    @property
    def description(self) -> Sequence[Sequence[object]] | None:
        """One entry a column, the name first; None or empty when the statement returns no rows."""

    def execute(self, operation: str, parameters: Parameters = ..., /) -> object:
        """Run a statement."""

    def fetchmany(self, size: int, /) -> Sequence[Sequence[object]]:
        """The next rows; empty at the end."""

    def close(self) -> object:
        """Give back what it holds."""


class Connection(Protocol):
    """An open DB-API 2 connection (PEP 249)."""

    def cursor(self) -> Any:
        """A new cursor; each driver has arguments of its own."""

    def rollback(self) -> object:
        """Undo what was not committed."""

    def close(self) -> object:
        """End it."""


def stream_rows(
    connect: Callable[[], Connection],
    sql: str,
    *,
    parameters: Parameters | None = None,
    chunk_rows: int = CHUNK_ROWS,
    name: str = "The database",
) -> Generator[Row, None, None]:
    """The rows of a query, by the cursor that streams on the connection's driver.

    The connection is open from the first row to the last, or until the generator is closed. It is never committed: the
    query is to read, and what it writes is rolled back where the database does not commit by itself.

    :param connect: opens the connection: an Airflow hook's ``get_conn``, so that every setting of the Airflow
        connection holds. Called in the thread that reads, since sqlite3 refuses a connection of another thread.
    :param sql: as the driver reads it, with its placeholders (``%(day)s`` for psycopg, ``:day`` for SQLite). A literal
        ``%`` is written once without ``parameters``, and as the driver wants it (``%%``) with them.
    :param parameters: by name or by position.
    :param chunk_rows: rows fetched at a time; what memory holds.
    :param name: of the database, as errors begin.
    :raises ConfigurationError: the connection's settings are wrong; the query is wrong, returns no rows, or two columns
        of one name, all before the first row; or the driver cannot read a value.
    :raises SourceError: the database was not reached, or failed; a retry may succeed.
    """
    bound = _bind(parameters)
    values = tuple(bound.values()) if isinstance(bound, Mapping) else bound
    read_rows = 0
    with open_connection(connect, name=name) as connection:
        try:
            cursor, owner = _streaming_cursor(connection)
        except Exception as error:  # noqa: BLE001 - only the driver knows its classes, and their texts may hold values
            raise connect_error(error, name) from None
        with closing_quietly(owner):
            try:
                if bound:
                    cursor.execute(sql, bound)
                else:  # an empty collection makes some drivers read a literal % as a placeholder
                    cursor.execute(sql)
                if cursor.__class__.__module__.startswith("psycopg2"):
                    _describe(cursor)
            except ConfigurationError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                raise execute_error(error, connection, sql=sql, values=values) from None
            names = _column_names(cursor.description)
            while True:
                try:
                    chunk = cursor.fetchmany(chunk_rows)
                except Exception as error:  # noqa: BLE001 - as above
                    raise fetch_error(
                        error, read_rows, sql=sql, values=values, description=cursor.description
                    ) from None
                if not chunk:
                    return
                for row in chunk:
                    yield dict(zip(names, row, strict=True))
                read_rows += len(chunk)


@contextmanager
def open_connection(connect: Callable[[], Connection], *, name: str) -> Iterator[Connection]:
    """A connection to a user's database, closed at the end.

    :raises ConfigurationError: the driver refuses a setting, or is not installed; nobody was contacted.
    :raises SourceError: the database was not reached.
    """
    try:
        connection = connect()
    except Exception as error:  # noqa: BLE001 - only the driver knows its classes, and their texts may hold a password
        raise connect_error(error, name) from None
    with closing_quietly(connection):
        yield connection


_NAMED: Final = "dropcowboy_contacts"
_PATIENCE_S: Final = 7 * 24 * 3600


def _streaming_cursor(connection: Connection) -> tuple[Cursor, Connection | Cursor | ExitStack]:
    """The cursor that does not hold the whole result on this driver, and what is closed to give it back.

    With MySQL's drivers, that is the connection: closing the cursor would read all that is left of the rows. Each
    cursor returns tuples, whatever kind of cursor the Airflow connection names in its extra.
    """
    # not type(): a tracer's proxy claims to be of the driver's class
    drivers = {cls.__module__.partition(".")[0] for cls in connection.__class__.__mro__}
    driver: Any = connection
    if "psycopg" in drivers:
        _begin_transactions(driver)
        cursor = driver.cursor(_NAMED, row_factory=import_module("psycopg.rows").tuple_row)
    elif "psycopg2" in drivers:
        _begin_transactions(driver)
        cursor = driver.cursor(_NAMED, cursor_factory=import_module("psycopg2.extensions").cursor)
    elif mysql := {"MySQLdb", "pymysql"} & drivers:
        _wait_for_reader(driver)
        cursor = driver.cursor(import_module(f"{mysql.pop()}.cursors").SSCursor)
        owner = ExitStack()
        owner.callback(connection.close)
        owner.callback(_forget_unread, driver)
        return cursor, owner
    elif "mysql" in drivers:
        _wait_for_reader(driver)
        return driver.cursor(buffered=False, raw=False, dictionary=False), connection
    else:
        cursor = driver.cursor()
        if cursor.__class__.__module__.startswith("clickhouse_connect."):
            cursor = _ClickHouseStream(cursor.client)
    return cursor, cursor


def _begin_transactions(connection: Any) -> None:
    """PostgreSQL has a named cursor only inside a transaction."""
    if connection.autocommit:
        connection.autocommit = False


def _describe(cursor: Cursor) -> None:
    """psycopg2 describes the rows of a named cursor when it first fetches."""
    if cursor.description is not None:  # of a second SELECT, whose names the rows of the first would get
        raise ConfigurationError("The query has several statements. Write one SELECT; nobody was contacted.")
    cursor.fetchmany(0)


def _wait_for_reader(connection: Any) -> None:
    """A MySQL server waits for its reader; by default it cuts off a reader that takes no row for a minute."""
    with suppress(Exception), closing(connection.cursor()) as cursor:
        cursor.execute(f"SET SESSION net_write_timeout = {_PATIENCE_S}")


def _forget_unread(connection: Any) -> None:
    """pymysql reads what is left of a result when its objects are collected, from a connection that is closed then."""
    result = getattr(connection, "_result", None)
    if result is not None:
        result.unbuffered_active = False


class _ClickHouseStream:
    """The part of a DB-API cursor that reads; clickhouse-connect's own holds the whole result."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._stack = ExitStack()
        self._source: Any = None
        self._rows: Iterator[Sequence[object]] = iter(())
        self.description: list[tuple[object, ...]] = []

    def execute(self, operation: str, parameters: Parameters | None = None, /) -> None:
        """Run a query."""
        stream = self._stack.enter_context(self._client.query_row_block_stream(operation, parameters))
        self._source = stream.source.source
        kinds = (kind.name for kind in stream.source.column_types)
        # an empty result comes without its columns
        self.description = list(zip(stream.source.column_names, kinds, strict=True)) or [("no rows",)]
        self._rows = chain.from_iterable(stream)

    def fetchmany(self, size: int, /) -> list[Sequence[object]]:
        """The next rows."""
        return list(islice(self._rows, size))

    def close(self) -> None:
        """Leave the rest unread: the driver's own close would read all of it, so its connection is cut before."""
        with suppress(Exception):  # it has none after the last row
            reading = getgeneratorlocals(self._source.gen)["read_gen"]
            getgeneratorlocals(reading)["self"].connection.sock.shutdown(SHUT_RDWR)
        self._stack.close()


@contextmanager
def closing_quietly(owner: Connection | Cursor | ExitStack) -> Iterator[None]:
    """Close at the end; a driver that then finds its connection lost adds nothing to what is known."""
    try:
        yield
    finally:
        with suppress(Exception):
            owner.close()


def _bind(parameters: Parameters | None) -> dict[str, object] | tuple[object, ...]:
    """Parameters as DB-API wants them: a list would be read as many executions by some drivers."""
    if isinstance(parameters, Mapping):
        return dict(parameters)
    if isinstance(parameters, str | bytes):
        raise ConfigurationError("parameters is one text. Hand over a dict by name, or a list by position.")
    return tuple(parameters or ())


def _column_names(description: Sequence[Sequence[object]] | None) -> tuple[str, ...]:
    if not description:
        raise ConfigurationError("The query returns no rows. It must be a SELECT.")
    names = tuple(str(column[0]) for column in description)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(
            f"The query returns two columns named {', '.join(twice)}. Give each its own name with AS."
        )
    return names
