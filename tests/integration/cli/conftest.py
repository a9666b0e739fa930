"""The command line against the sandbox."""

import json
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID
from tests.integration.cli.program import Program
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def program(sandbox: SandboxProcess, tmp_path: Path) -> Program:
    """The program, with a connection to the sandbox and a ledger that is not there yet."""
    connection = {
        "conn_type": "dropcowboy",
        "login": sandbox.team_id,
        "password": sandbox.secret,
        "host": sandbox.base_url,
        "extra": {
            "default_brand_id": BRAND_ID,
            "default_pool_id": POOL_ID,
            "callback_secret": "callback-secret-1",
        },
    }
    return Program(tmp_path, connection, f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def contacts(program: Program) -> str:
    """A file of five rows, of which three people can be asked for."""
    return program.write(
        "due.csv",
        "id,phone,first_name,consented\n"
        "1,+15045550101,Annabel,yes\n"
        "2,(504) 555-0102,Bertram,no\n"
        "3,12,Cy,yes\n"
        "4,504-555-0104,Desdemona,yes\n"
        "1,+15045550101,Annabel,yes\n",
    )


@pytest.fixture
def in_process(program: Program, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The program's environment and folder, for calls in the test's own process: that spares an Airflow's start."""
    monkeypatch.chdir(program.folder)
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(program.connection))
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", program.ledger_url)
    return monkeypatch
