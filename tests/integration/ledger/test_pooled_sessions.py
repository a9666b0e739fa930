"""One process takes few of the connections that PostgreSQL has for all workers."""

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.postgres import MAX_SESSIONS

THREADS = 12


def test_a_process_opens_no_more_sessions_however_many_threads_ask_at_once(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url, may_create=True)

    def count_sessions(_: int) -> int:
        with ledger.reading() as connection:
            counted: int = connection.execute(
                sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            ).scalar_one()
        return counted

    with ThreadPoolExecutor(THREADS) as threads:
        counted = list(threads.map(count_sessions, range(40 * THREADS)))
    ledger.engine.dispose()
    assert 1 < max(counted) <= MAX_SESSIONS


def test_a_session_that_the_server_ended_while_it_was_idle_is_replaced(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url, may_create=True)
    sa.event.listen(ledger.engine, "checkin", lambda _, record: record.info.update(idle_since_s=0.0))  # for long
    with ledger.reading() as connection:
        connection.exec_driver_sql("SELECT 1")
    other = sa.create_engine(postgres_url)
    with other.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with ledger.writing() as connection:
        connection.exec_driver_sql("SELECT 1")
    for engine in (ledger.engine, other):
        engine.dispose()
