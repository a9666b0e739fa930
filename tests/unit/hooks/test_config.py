"""Settings and connections that the command line reads without Airflow are what Airflow would read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.hooks.config import _read_plainly, read_connection

KEY = ("dropcowboy", "ledger_conn_id")
VARIABLE = "AIRFLOW__DROPCOWBOY__LEDGER_CONN_ID"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AIRFLOW_CONFIG", VARIABLE, "AIRFLOW__CORE__UNIT_TEST_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (None, ""),
        ("[core]\nexecutor = CeleryExecutor\n", ""),
        ("[dropcowboy]\nledger_conn_id = ledger\n", "ledger"),
        ("[dropcowboy]\nledger_conn_id =\n", ""),
        ("[dropcowboy]\nledger_conn_id_cmd = cat secret\n", None),
        ("[dropcowboy]\nledger_conn_id_secret = path\n", None),
        ("[dropcowboy]\nledger_conn_id = %(other)s\n", None),
        ("[dropcowboy]\nledger_conn_id = $LEDGER\n", None),
        ("no section\n", None),
    ],
)
def test_a_value_in_the_file_is_read_and_any_doubt_is_airflows(
    home: Path, file: str | None, expected: str | None
) -> None:
    if file is not None:
        (home / "airflow.cfg").write_text(file)
    assert _read_plainly(*KEY) == expected


def test_the_environment_comes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "airflow.cfg").write_text("[dropcowboy]\nledger_conn_id = file\n")
    monkeypatch.setenv(VARIABLE, "variable")
    assert _read_plainly(*KEY) == "variable"
    monkeypatch.setenv(f"{VARIABLE}_CMD", "cat secret")
    assert _read_plainly(*KEY) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "dropcowboy://a:b@", '{"no_field": "a"}', '{"extra": "[]"}', '{"port": "x"}']
)
def test_a_connection_that_is_no_plain_json_is_airflows_to_read(text: str) -> None:
    assert read_connection(text) is None


COMMANDS = """
import sys
from airflow_provider_dropcowboy.cli import connection
settings = connection.load_settings("env:DC")
connection.ledger_url_of(settings)
connection.load_hours("state", channel="rvm", message_kind="marketing")
connection.executor()
connection.find_ledger_url(None)
print("airflow" in sys.modules)
"""


def test_the_commands_of_the_quick_start_import_no_airflow(home: Path) -> None:
    """It takes two seconds, and each of them would take so much longer."""
    environment = {
        "AIRFLOW_HOME": str(home),
        "DC": '{"login": "team", "password": "secret"}',
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], env=environment, cwd=home, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert list(home.iterdir()) == []
