"""``dropcowboy ledger``."""

import stat
from pathlib import Path

from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger
from airflow_provider_dropcowboy.ledger.limits import pause_all, read_pauses
from tests.integration.cli.program import Program


def test_a_ledger_is_told_of_with_what_is_paused(program: Program) -> None:
    ledger = open_ledger(program.ledger_url, may_create=True)
    since = pause_all(ledger)
    told = program.run("ledger", "info")
    assert told.code == 0
    lines = dict(line.split("  ", 1) for line in told.stdout.splitlines())
    shown = {name: value.strip() for name, value in lines.items()}
    assert (shown["place"], shown["ledger"]) == (program.ledger_url, ledger.ledger_id)
    assert (shown["schema"], shown["campaigns"]) == (HEAD, "0")
    assert shown["all paused"] == f"{since:%Y-%m-%d %H:%M:%S} UTC"
    ledger.engine.dispose()


def test_a_backup_is_whole_private_and_never_overwrites(program: Program, tmp_path: Path) -> None:
    ledger = open_ledger(program.ledger_url, may_create=True)
    copy = tmp_path / "backup.db"
    pause_all(ledger)  # committed, and still in the -wal file alone
    ended = program.run("ledger", "backup", str(copy))
    assert (ended.code, ended.stderr) == (0, "")
    assert "complete until" in ended.stdout
    ledger.engine.dispose()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("backup.db-*"))
    restored = open_ledger(f"sqlite:///{copy}")
    assert restored.ledger_id == ledger.ledger_id
    assert read_pauses(restored).all_since is not None
    restored.engine.dispose()
    before = copy.read_bytes()
    again = program.run("ledger", "backup", str(copy))
    assert again.code == 2
    assert "File exists. Nothing was copied." in again.stderr
    assert copy.read_bytes() == before


def test_a_backup_on_postgresql_names_its_own_way(program: Program) -> None:
    program.environment = {"DROPCOWBOY_LEDGER_URL": "postgresql+psycopg://me@db.example/crm"}
    ended = program.run("ledger", "backup", "copy.dump")
    assert ended.code == 2
    assert "pg_dump --format=custom --file=copy.dump crm" in ended.stderr


def test_the_ledger_of_another_connection_is_set_up_with_conn(program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    program.environment = {
        "AIRFLOW_CONN_LEDGER": f'{{"conn_type": "sqlite", "host": "{other}"}}',
        "DROPCOWBOY_LEDGER_URL": "",
    }
    ended = program.run("ledger", "upgrade", connection={"extra": {"ledger_conn_id": "ledger"}})
    assert (ended.code, ended.stdout) == (0, f"The ledger at sqlite:///{other} has schema {HEAD}.\n")
    assert other.exists()
