"""Opening a ledger, its tables, its transactions and its clock."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.errors import (
    ConfigurationError,
    LedgerError,
    NoLedgerError,
    SchemaVersionError,
)
from airflow_provider_dropcowboy.ledger import database
from airflow_provider_dropcowboy.ledger.database import (
    HEAD,
    Ledger,
    find_ledger,
    now,
    open_ledger,
    upgrade_ledger,
)
from airflow_provider_dropcowboy.ledger.runs import end_run
from airflow_provider_dropcowboy.ledger.schema import LEDGER, METADATA, RUNS, SENDS, VERSION_TABLE
from tests.integration.ledger.conftest import Desk, begin, message

PASSWORD = "pg-pa55word"
LONG_AGO = datetime(2020, 2, 29, 12, 30, tzinfo=UTC)


def with_password(url: str) -> str:
    """The same database; where no password is asked for, any does."""
    parts = sa.make_url(url)
    if parts.get_backend_name() == "sqlite":
        return url
    return parts.set(password=PASSWORD).render_as_string(hide_password=False)


def set_version(ledger: Ledger, version: str) -> None:
    with ledger.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'")


class TestTables:
    def test_the_migrations_make_the_tables_that_the_code_knows(self, ledger: Ledger) -> None:
        with ledger.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
            )
            assert compare_metadata(context, METADATA) == []

    def test_the_revision_that_is_asked_for_is_the_last_one(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
        assert ScriptDirectory.from_config(config).get_heads() == [HEAD]

    def test_the_tables_of_others_in_the_database_are_left_alone(self, ledger_url: str) -> None:
        mine = sa.create_engine(ledger_url)
        with mine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('mine')")
        open_ledger(ledger_url, may_create=True).engine.dispose()
        with mine.connect() as connection:
            assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "mine"
            names = set(sa.inspect(connection).get_table_names())
        mine.dispose()
        assert {name for name in names if not name.startswith("dropcowboy_")} == {"alembic_version"}


class TestOpening:
    def test_a_ledger_keeps_its_name_key_and_birth(self, ledger: Ledger, ledger_url: str) -> None:
        again = open_ledger(ledger_url, may_create=True)
        again.engine.dispose()
        assert (again.ledger_id, again.key, again.born_at) == (ledger.ledger_id, ledger.key, ledger.born_at)
        assert len(ledger.key) == 32
        assert ledger.born_at.tzinfo is not None

    def test_only_a_sender_sets_up_an_empty_database(self, ledger_url: str) -> None:
        with pytest.raises(NoLedgerError, match="The first send task creates it"):
            open_ledger(with_password(ledger_url))
        assert find_ledger(ledger_url) is None
        if (path := sa.make_url(ledger_url).database) and ledger_url.startswith("sqlite"):
            assert not Path(path).exists()

    def test_an_older_schema_is_refused_with_the_command_that_mends_it(self, ledger: Ledger, ledger_url: str) -> None:
        set_version(ledger, "0000")
        for may_create in (True, False):
            with pytest.raises(SchemaVersionError, match="`dropcowboy ledger upgrade`") as refused:
                open_ledger(with_password(ledger_url), may_create=may_create)
            assert "0000" in str(refused.value)
            assert PASSWORD not in str(refused.value)

    def test_a_newer_schema_is_refused_and_asks_for_the_newer_package(self, ledger: Ledger, ledger_url: str) -> None:
        set_version(ledger, "9999")
        with pytest.raises(SchemaVersionError, match="Install the newer package"):
            open_ledger(ledger_url)

    def test_an_upgrade_brings_any_database_to_this_version(self, ledger_url: str) -> None:
        for _ in ("an empty one", "one that is up to date"):
            assert upgrade_ledger(ledger_url) == HEAD
        opened = open_ledger(ledger_url)
        opened.engine.dispose()

    def test_no_log_at_any_level_and_no_error_holds_the_password_or_the_key(
        self, ledger_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            ledger = open_ledger(with_password(ledger_url), may_create=True)
            ledger.engine.dispose()
        assert ledger.ledger_id in caplog.text
        assert PASSWORD not in caplog.text
        assert ledger.key.hex() not in caplog.text
        assert ledger.key.hex() not in repr(ledger)
        assert PASSWORD not in repr(ledger)

    def test_a_database_that_is_not_there_is_a_ledger_error(self) -> None:
        url = f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:1/ledger"
        with pytest.raises(LedgerError) as failed:
            open_ledger(url, may_create=True)
        assert PASSWORD not in str(failed.value)

    def test_a_file_that_is_no_database_is_a_ledger_error(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.db"
        path.write_text("a letter to my mother, long enough to be read as a header of something")
        with pytest.raises(LedgerError):
            open_ledger(f"sqlite:///{path}", may_create=True)
        with pytest.raises(LedgerError):
            open_ledger(f"sqlite:///{tmp_path}", may_create=True)

    @pytest.mark.parametrize("url", ["sqlite:///ledger.db", "sqlite://", "mysql://host/db", "postgresql://host/db"])
    def test_a_database_the_ledger_cannot_live_on_is_a_wrong_setting(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"four slashes|cannot live on"):
            open_ledger(url, may_create=True)


class TestTransactions:
    def test_what_is_read_at_once_is_one_snapshot(self, desk: Desk) -> None:
        count = sa.select(sa.func.count()).select_from(SENDS)
        with desk.ledger.reading() as connection:
            before = connection.execute(count).scalar_one()
            desk.claim(message("1"))
            assert connection.execute(count).scalar_one() == before == 0

    def test_a_reader_changes_nothing(self, desk: Desk) -> None:
        if desk.ledger.engine.dialect.name == "postgresql":
            with pytest.raises(LedgerError), desk.ledger.reading() as connection:
                connection.execute(LEDGER.update().values(paused_at=None))

    def test_a_block_that_fails_leaves_nothing_behind(self, desk: Desk) -> None:
        with pytest.raises(ZeroDivisionError), desk.ledger.writing() as connection:  # noqa: PT012
            connection.execute(RUNS.delete())
            raise ZeroDivisionError
        with desk.ledger.reading() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(RUNS)).scalar_one() == 1

    def test_what_is_written_is_on_disk_whatever_the_database_is_set_to(self, ledger: Ledger) -> None:
        dialect = ledger.engine.dialect.name
        if dialect == "postgresql":
            with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
                connection.exec_driver_sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
            ledger.engine.dispose()
        with ledger.writing() as connection:
            if dialect == "postgresql":
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
                assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "30s"
            else:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"

    def test_an_error_of_the_database_holds_no_number(self, desk: Desk) -> None:
        claimed = desk.claim_one(message("1")).message
        with desk.ledger.reading() as connection:
            row = connection.execute(sa.select(SENDS)).mappings().one()
        with pytest.raises(LedgerError) as failed, desk.ledger.writing() as connection:
            connection.execute(SENDS.insert().values(**row))
        error: BaseException | None = failed.value
        while error is not None:
            assert claimed.phone.e164 not in f"{error} {error!r}" or type(error).__module__.startswith("psycopg")
            error = error.__cause__ or error.__context__
        assert failed.value.__suppress_context__


class TestClock:
    @pytest.fixture
    def long_ago(self, ledger_url: str) -> Iterator[str]:
        """The database's clock, and no other, stands in another year."""
        if ledger_url.startswith("sqlite"):
            with time_machine.travel(LONG_AGO, tick=False):
                yield ledger_url
            return
        admin = sa.create_engine(ledger_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql("CREATE SCHEMA past")
            connection.exec_driver_sql(
                "CREATE FUNCTION past.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
                f"AS $$ SELECT '{LONG_AGO.isoformat()}'::timestamptz $$"
            )
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET search_path = past, pg_catalog, public")
            connection.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'")
        admin.dispose()
        yield ledger_url

    def test_every_stored_instant_is_the_databases_and_aware(self, long_ago: str) -> None:
        ledger = open_ledger(long_ago, may_create=True)
        desk = Desk(ledger, begin(ledger))
        claim = desk.claim_one(message("1"))
        desk.record(claim, kind=Outcome.ACCEPTED)
        end_run(ledger, desk.run, counts={}, reason=None)
        with ledger.reading() as connection:
            instants = {
                f"{table.name}.{column.name}": value
                for table in METADATA.sorted_tables
                for row in connection.execute(sa.select(table)).mappings()
                for column, value in ((table.c[name], row[name]) for name in row)
                if isinstance(value, datetime)
            }
            assert now(connection) == LONG_AGO
        ledger.engine.dispose()
        assert set(instants.values()) == {LONG_AGO}
        assert {value.utcoffset() for value in instants.values()} == {timedelta(0)}
        assert {"dropcowboy_sends.claimed_at", "dropcowboy_runs.ended_at", "dropcowboy_ledger.born_at"} <= set(instants)

    def test_an_instant_without_a_zone_is_refused(self, ledger: Ledger) -> None:
        with pytest.raises(sa.exc.StatementError, match="without time zone"), ledger.writing() as connection:
            connection.execute(LEDGER.update().values(paused_at=datetime(2026, 11, 24)))  # noqa: DTZ001
