"""``dropcowboy ledger``."""

from pathlib import Path

from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger
from airflow_provider_dropcowboy.ledger.pauses import pause_all
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


def test_the_ledger_of_another_connection_is_set_up_with_conn(program: Program, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    program.environment = {
        "AIRFLOW_CONN_LEDGER": f'{{"conn_type": "sqlite", "host": "{other}"}}',
        "DROPCOWBOY_LEDGER_URL": "",
    }
    ended = program.run("ledger", "upgrade", connection={"extra": {"ledger_conn_id": "ledger"}})
    assert (ended.code, ended.stdout) == (0, f"The ledger at sqlite:///{other} has schema {HEAD}.\n")
    assert other.exists()
