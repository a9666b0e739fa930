"""A user's query is streamed from a real database."""

import logging
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import Engine, create_engine

from airflow_provider_dropcowboy.contacts.key import canonical_key
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.sql import CHUNK_ROWS, stream_cursor, stream_engine
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError

PHONE = "504-555-0100"

ENDLESS = {
    "postgresql": "SELECT generate_series(1, 1000000000000) AS id",
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n",
}
"""Only a reader that holds a chunk and not the result ever sees a row of these."""


@pytest.fixture
def cursor(postgresql_uri: str) -> Iterator[psycopg.Cursor[tuple[object, ...]]]:
    """What a hook's get_conn().cursor() gives."""
    with psycopg.connect(postgresql_uri) as connection, connection.cursor() as cursor:
        yield cursor


def test_a_query_without_end_is_read_row_by_row(warehouse: Engine) -> None:
    with closing(stream_engine(warehouse, ENDLESS[warehouse.dialect.name])) as rows:
        ids = [next(rows)["id"] for _ in range(3 * CHUNK_ROWS + 1)]
    assert ids == list(range(1, 3 * CHUNK_ROWS + 2))


def test_a_reader_that_stops_early_gives_its_connection_back(warehouse: Engine) -> None:
    with closing(stream_engine(warehouse, ENDLESS[warehouse.dialect.name])) as rows:
        next(rows)
    assert warehouse.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1])
def test_every_row_is_read_once(postgresql: Engine, count: int) -> None:
    rows = list(stream_engine(postgresql, f"SELECT generate_series(1, {count}) AS id, 'x' AS name"))
    assert rows == [{"id": number, "name": "x"} for number in range(1, count + 1)]


def test_parameters_are_written_as_the_driver_takes_them(postgresql: Engine, sqlite: Engine) -> None:
    for engine, sql, parameters in (
        (postgresql, "SELECT %(name)s AS name, 'a%%' AS mark", {"name": "Ann"}),
        (postgresql, "SELECT %s AS name, 'a%%' AS mark", ["Ann"]),
        (sqlite, "SELECT :name AS name, 'a%' AS mark", {"name": "Ann"}),
        (sqlite, "SELECT ? AS name, 'a%' AS mark", ("Ann",)),
    ):
        assert list(stream_engine(engine, sql, parameters=parameters)) == [{"name": "Ann", "mark": "a%"}]


@pytest.mark.parametrize("parameters", [None, {}, [], ()])
def test_without_parameters_a_percent_sign_is_itself(warehouse: Engine, parameters: object) -> None:
    sql = "SELECT 'a%s :b' AS mark WHERE 'ab' LIKE 'a%';  -- 100 %"
    assert list(stream_engine(warehouse, sql, parameters=parameters)) == [{"mark": "a%s :b"}]  # type: ignore[arg-type]


def test_one_text_is_not_taken_for_parameters(sqlite: Engine) -> None:
    with pytest.raises(ConfigurationError, match="parameters is one text"):
        next(stream_engine(sqlite, "SELECT ?", parameters="Ann"))


def test_two_columns_of_one_name_are_refused(warehouse: Engine) -> None:
    with pytest.raises(ConfigurationError, match="two columns named id"):
        next(stream_engine(warehouse, "SELECT 1 AS id, 2 AS phone, 3 AS id"))


def test_a_query_changes_nothing(sqlite: Engine) -> None:
    with sqlite.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE people (id)")
    assert list(stream_engine(sqlite, "INSERT INTO people VALUES (1) RETURNING id")) == [{"id": 1}]
    assert list(stream_engine(sqlite, "SELECT id FROM people")) == []


def test_a_statement_without_rows_is_refused(postgresql: Engine) -> None:
    for sql in ("CREATE TABLE people (id int)", "SELECT 1; SELECT 2"):
        with pytest.raises(ConfigurationError, match="refused the query: SyntaxError 42601"):
            next(stream_engine(postgresql, sql))


def test_a_wrong_query_says_what_is_wrong(postgresql: Engine, sqlite: Engine) -> None:
    with pytest.raises(ConfigurationError, match=r'UndefinedTable 42P01: relation "due_today" does not exist\.'):
        next(stream_engine(postgresql, "SELECT id FROM due_today"))
    with pytest.raises(ConfigurationError, match="SyntaxError 42601: syntax error"):
        next(stream_engine(postgresql, "SELEC 1"))
    with pytest.raises(SourceError, match="OperationalError: no such table: due_today"):
        next(stream_engine(sqlite, "SELECT id FROM due_today"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT %(phone)s::int AS id",
        "SELECT CAST('Ann ' || %(phone)s AS int) AS id",
        "SELECT nothing FROM pg_class WHERE relname = %(phone)s",
        "SELECT '504-555-0100' + FROM pg_class WHERE relname = %(phone)s",
        'SELECT "504-555-0100" FROM pg_class WHERE relname = %(phone)s',
    ],
)
def test_a_failing_query_shows_no_persons_value(postgresql: Engine, sql: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigurationError) as failed:
        next(stream_engine(postgresql, sql, parameters={"phone": PHONE}))
    shown = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert "555-0100" not in shown.replace(sql, "")
    assert "Ann" not in str(failed.value)


@pytest.mark.parametrize("first_rows", [0, CHUNK_ROWS])
def test_a_value_that_the_driver_cannot_read_names_its_column_and_not_the_query(
    postgresql: Engine, cursor: psycopg.Cursor[tuple[object, ...]], first_rows: int
) -> None:
    sql = (
        f"SELECT n AS id, '{PHONE}' AS phone, CASE WHEN n < {first_rows} THEN now() ELSE 'infinity' END AS valid_until "
        f"FROM generate_series(0, {first_rows}) AS n"
    )
    for rows, which in (
        (stream_cursor(cursor, sql), "The value of column valid_until"),
        (stream_engine(postgresql, sql), "The value of column valid_until" if first_rows else "A value of a column"),
    ):
        with pytest.raises(ConfigurationError) as stopped:
            list(rows)
        assert str(stopped.value).startswith(
            f"{which} cannot be read by the database's driver, "
            f"after {first_rows} rows: timestamp too large. The query itself ran. Leave the column out"
        )


def test_a_text_that_is_not_utf_8_names_its_column_and_shows_nothing_of_it(sqlite: Engine) -> None:
    sql = "SELECT 1 AS id, CAST(x'416e6ee9' AS TEXT) AS name"
    with closing(sqlite3.connect(":memory:")) as connection, closing(connection.cursor()) as cursor:
        for rows in (stream_engine(sqlite, sql), stream_cursor(cursor, sql)):
            with pytest.raises(ConfigurationError, match="The value of column name cannot be read") as stopped:
                list(rows)
            assert "Ann" not in str(stopped.value)


def test_a_database_that_fails_on_the_way_can_be_asked_again(postgresql: Engine) -> None:
    sql = "SELECT 1 / (3001 - id) AS id FROM (SELECT generate_series(1, 10000) AS id OFFSET 0) AS n"
    rows = stream_engine(postgresql, sql)
    with pytest.raises(SourceError, match="after 2000 rows: DivisionByZero 22012"):
        list(rows)


def test_a_lost_connection_can_be_asked_again(postgresql: Engine, postgresql_uri: str) -> None:
    rows = stream_engine(postgresql, "SELECT generate_series(1, 1000000000000) AS id, pg_backend_pid() AS pid")
    with psycopg.connect(postgresql_uri, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [next(rows)["pid"]])
    with pytest.raises(SourceError, match="after 2000 rows: AdminShutdown"):
        list(rows)


def test_a_database_that_is_not_there_can_be_asked_again() -> None:
    engine = create_engine("postgresql+psycopg://nobody:s3cr3t@127.0.0.1:1/none")
    with pytest.raises(SourceError, match="after 0 rows: OperationalError") as failed:
        next(stream_engine(engine, "SELECT 1"))
    assert "s3cr3t" not in "".join(traceback.format_exception(failed.value))


def test_a_cursor_is_read_in_chunks(cursor: psycopg.Cursor[tuple[object, ...]]) -> None:
    sql = "SELECT generate_series(1, %s) AS id"
    assert [row["id"] for row in stream_cursor(cursor, sql, parameters=[5], chunk_rows=2)] == [1, 2, 3, 4, 5]
    assert list(stream_cursor(cursor, "SELECT 'a%s' AS mark")) == [{"mark": "a%s"}]


def test_a_cursor_that_streams_is_streamed() -> None:
    with closing(sqlite3.connect(":memory:")) as connection, closing(connection.cursor()) as cursor:
        rows = stream_cursor(cursor, ENDLESS["sqlite"])
        assert [next(rows)["id"] for _ in range(3)] == [1, 2, 3]


def test_a_wrong_query_of_a_cursor_says_what_is_wrong_without_a_persons_value(
    cursor: psycopg.Cursor[tuple[object, ...]],
) -> None:
    with pytest.raises(ConfigurationError, match="InvalidTextRepresentation 22P02") as failed:
        next(stream_cursor(cursor, "SELECT %(phone)s::int", parameters={"phone": PHONE}))
    assert "555" not in "".join(traceback.format_exception(failed.value)).replace('504-555-0100"}', "")
    cursor.connection.rollback()
    with pytest.raises(ConfigurationError, match="returns no rows"):
        next(stream_cursor(cursor, "CREATE TEMP TABLE people (id int)"))
    with pytest.raises(ConfigurationError, match="two columns named id"):
        next(stream_cursor(cursor, "SELECT 1 AS id, 2 AS id"))


def test_a_query_can_leave_out_the_rows_of_other_partitions_itself(postgresql: Engine) -> None:
    rule = "('x' || left(md5(id::text), 7))::bit(28)::int % 8 + 1"
    numbers = "(SELECT generate_series(-1000, 1000) AS id) AS n"
    for row in stream_engine(postgresql, f"SELECT id, {rule} AS part FROM {numbers}"):
        part = row["part"]
        assert isinstance(part, int)
        assert Partition(part, 8).has(canonical_key(row["id"]))
