"""A user's query is streamed from a real database."""

import logging
import traceback
from contextlib import closing
from functools import partial
from typing import Any

import psycopg
import pytest

from airflow_provider_dropcowboy.contacts.key import canonical_key
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.sql import CHUNK_ROWS, stream_rows
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError
from tests.integration.contacts.conftest import Connect

PHONE = "504-555-0100"

ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
"""Only a reader that holds a chunk and not the result ever sees a row of this."""


def test_a_query_without_end_is_read_row_by_row(warehouse: Connect) -> None:
    with closing(stream_rows(warehouse, ENDLESS)) as rows:
        ids = [next(rows)["id"] for _ in range(3 * CHUNK_ROWS + 1)]
    assert ids == list(range(1, 3 * CHUNK_ROWS + 2))


def test_a_reader_that_stops_early_closes_its_connection(warehouse: Connect) -> None:
    connection: Any = warehouse()
    with closing(stream_rows(lambda: connection, ENDLESS)) as rows:
        next(rows)
    with pytest.raises(Exception, match="closed"):
        connection.cursor().execute("SELECT 1")


@pytest.mark.parametrize("count", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1])
def test_every_row_is_read_once(postgresql: Connect, count: int) -> None:
    rows = list(stream_rows(postgresql, f"SELECT generate_series(1, {count}) AS id, 'x' AS name"))
    assert rows == [{"id": number, "name": "x"} for number in range(1, count + 1)]


def test_parameters_are_written_as_the_driver_takes_them(postgresql: Connect, sqlite: Connect) -> None:
    for engine, sql, parameters in (
        (postgresql, "SELECT %(name)s AS name, 'a%%' AS mark", {"name": "Ann"}),
        (postgresql, "SELECT %s AS name, 'a%%' AS mark", ["Ann"]),
        (sqlite, "SELECT :name AS name, 'a%' AS mark", {"name": "Ann"}),
        (sqlite, "SELECT ? AS name, 'a%' AS mark", ("Ann",)),
    ):
        assert list(stream_rows(engine, sql, parameters=parameters)) == [{"name": "Ann", "mark": "a%"}]


@pytest.mark.parametrize("parameters", [None, {}, [], ()])
def test_without_parameters_a_percent_sign_is_itself(warehouse: Connect, parameters: object) -> None:
    sql = "SELECT 'a%s :b' AS mark WHERE 'ab' LIKE 'a%';  -- 100 %"
    assert list(stream_rows(warehouse, sql, parameters=parameters)) == [{"mark": "a%s :b"}]  # type: ignore[arg-type]


def test_a_single_percent_sign_beside_parameters_is_told_how_to_write(postgresql: Connect, psycopg2: Connect) -> None:
    for connect in (postgresql, psycopg2):
        with pytest.raises(ConfigurationError, match="write a percent sign itself twice, as %%"):
            list(stream_rows(connect, "SELECT 'x%' AS a WHERE 'a' = %(k)s", parameters={"k": "a"}))
        with pytest.raises(ConfigurationError) as refused:
            list(stream_rows(connect, "SELECT nope WHERE 'x%%' = %(k)s", parameters={"k": "a"}))
        assert "percent" not in str(refused.value)


def test_two_statements_are_refused(postgresql: Connect, psycopg2: Connect) -> None:
    """psycopg2 gives the rows of the first the names of the second."""
    for connect in (postgresql, psycopg2):
        with pytest.raises(ConfigurationError, match=r"several statements|multiple commands"):
            list(stream_rows(connect, "SELECT 1 AS phone, 2 AS id; SELECT 1 AS id, 2 AS phone"))


def test_one_text_is_not_taken_for_parameters(sqlite: Connect) -> None:
    with pytest.raises(ConfigurationError, match="parameters is one text"):
        next(stream_rows(sqlite, "SELECT ?", parameters="Ann"))


def test_two_columns_of_one_name_are_refused(warehouse: Connect) -> None:
    with pytest.raises(ConfigurationError, match="two columns named id"):
        next(stream_rows(warehouse, "SELECT 1 AS id, 2 AS phone, 3 AS id"))


def test_a_query_changes_nothing(sqlite: Connect) -> None:
    with closing(sqlite()) as connection:
        connection.cursor().execute("CREATE TABLE people (id)")
    assert list(stream_rows(sqlite, "INSERT INTO people VALUES (1) RETURNING id")) == [{"id": 1}]
    assert list(stream_rows(sqlite, "SELECT id FROM people")) == []


def test_a_statement_without_rows_is_refused(postgresql: Connect) -> None:
    for sql in ("CREATE TABLE people (id int)", "SELECT 1; SELECT 2"):
        with pytest.raises(ConfigurationError, match="refused the query: SyntaxError 42601"):
            next(stream_rows(postgresql, sql))


def test_a_wrong_query_says_what_is_wrong(postgresql: Connect, sqlite: Connect) -> None:
    with pytest.raises(ConfigurationError, match=r'UndefinedTable 42P01: relation "due_today" does not exist\.'):
        next(stream_rows(postgresql, "SELECT id FROM due_today"))
    with pytest.raises(ConfigurationError, match="SyntaxError 42601: syntax error"):
        next(stream_rows(postgresql, "SELEC 1"))
    with pytest.raises(ConfigurationError, match="refused the query: OperationalError: no such table: due_today"):
        next(stream_rows(sqlite, "SELECT id FROM due_today"))
    with pytest.raises(ConfigurationError, match="refused the query: OperationalError: no such column: phone"):
        next(stream_rows(sqlite, "SELECT phone"))


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
def test_a_failing_query_shows_no_persons_value(
    postgresql: Connect, sql: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigurationError) as failed:
        next(stream_rows(postgresql, sql, parameters={"phone": PHONE}))
    shown = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert "555-0100" not in shown.replace(sql, "")
    assert "Ann" not in str(failed.value)


@pytest.mark.parametrize("first_rows", [0, CHUNK_ROWS])
def test_a_value_that_the_driver_cannot_read_names_its_column_and_not_the_query(
    postgresql: Connect, first_rows: int
) -> None:
    sql = (
        f"SELECT n AS id, '{PHONE}' AS phone, CASE WHEN n < {first_rows} THEN now() ELSE 'infinity' END AS valid_until "
        f"FROM generate_series(0, {first_rows}) AS n"
    )
    with pytest.raises(ConfigurationError) as stopped:
        list(stream_rows(postgresql, sql))
    assert str(stopped.value).startswith(
        "The value of column valid_until cannot be read by the database's driver, "
        f"after {first_rows} rows: timestamp too large. The query itself ran. Leave the column out"
    )


def test_a_text_that_is_not_utf_8_names_its_column_and_shows_nothing_of_it(sqlite: Connect) -> None:
    with pytest.raises(ConfigurationError, match="The value of column name cannot be read") as stopped:
        list(stream_rows(sqlite, "SELECT 1 AS id, CAST(x'416e6ee9' AS TEXT) AS name"))
    assert "Ann" not in str(stopped.value)


def test_a_database_that_fails_on_the_way_can_be_asked_again(postgresql: Connect) -> None:
    sql = "SELECT 1 / (3001 - id) AS id FROM (SELECT generate_series(1, 10000) AS id OFFSET 0) AS n"
    rows = stream_rows(postgresql, sql)
    with pytest.raises(SourceError, match="after 2000 rows: DivisionByZero 22012"):
        list(rows)


def test_a_lost_connection_can_be_asked_again(postgresql: Connect, postgresql_uri: str) -> None:
    rows = stream_rows(postgresql, "SELECT generate_series(1, 1000000000000) AS id, pg_backend_pid() AS pid")
    with psycopg.connect(postgresql_uri, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [next(rows)["pid"]])
    with pytest.raises(SourceError, match="after 2000 rows: AdminShutdown"):
        list(rows)


def test_a_database_that_is_not_there_can_be_asked_again() -> None:
    connect = partial(psycopg.connect, "postgresql://nobody:s3cr3t@127.0.0.1:1/none")
    with pytest.raises(SourceError, match=r"^The warehouse was not reached: OperationalError") as failed:
        next(stream_rows(connect, "SELECT 1", name="The warehouse"))
    assert "s3cr3t" not in "".join(traceback.format_exception(failed.value))


def test_a_setting_that_the_driver_does_not_have_fails_for_good(postgresql_uri: str) -> None:
    refused = r'^The database cannot be connected to: ProgrammingError: invalid connection option "sslrot"'
    with pytest.raises(ConfigurationError, match=refused):
        next(stream_rows(partial(psycopg.connect, postgresql_uri, sslrot="x"), "SELECT 1"))


def test_a_database_that_is_busy_can_be_asked_again(sqlite: Connect) -> None:
    with closing(sqlite()) as other:
        other.cursor().execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="OperationalError: database is locked"):
            next(stream_rows(partial(sqlite, timeout=0), "SELECT 1 FROM sqlite_master"))  # type: ignore[call-arg]


def test_a_connection_that_is_lost_before_the_query_can_be_asked_again(psycopg2: Connect, postgresql_uri: str) -> None:
    connection: Any = psycopg2()
    with psycopg.connect(postgresql_uri, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    with pytest.raises(SourceError, match="after 0 rows: "):
        next(stream_rows(lambda: connection, "SELECT 1"))


def test_a_query_can_leave_out_the_rows_of_other_partitions_itself(postgresql: Connect) -> None:
    rule = "('x' || left(md5(id::text), 7))::bit(28)::int % 8 + 1"
    numbers = "(SELECT generate_series(-1000, 1000) AS id) AS n"
    for row in stream_rows(postgresql, f"SELECT id, {rule} AS part FROM {numbers}"):
        part = row["part"]
        assert isinstance(part, int)
        assert Partition(part, 8).has(canonical_key(row["id"]))
