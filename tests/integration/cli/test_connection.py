"""Where ``--conn`` finds a connection."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.cli.connection import find_ledger_url, load_settings
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID
from tests.integration.cli.program import Program


def test_a_variable_holds_a_connection_as_json_or_uri(program: Program) -> None:
    host = program.connection["host"].replace(":", "%3A").replace("/", "%2F")
    program.environment = {
        "AS_JSON": json.dumps(program.connection),
        "AS_URI": f"dropcowboy://{program.connection['login']}:{program.connection['password']}@{host}",
    }
    for name in program.environment:
        ended = program.run("brands", "--conn", f"env:{name}", "--json")
        assert ended.code == 0, ended.stderr
        assert BRAND_ID in ended.stdout


@pytest.mark.parametrize("text", ["", "{not json: a-secret", '["a-secret"]', "no-uri://a-secret://b://c"])
def test_a_variable_that_holds_no_connection_is_named_without_its_value(
    in_process: pytest.MonkeyPatch, text: str
) -> None:
    in_process.setenv("BROKEN", text)
    with pytest.raises(ConfigurationError, match="variable 'BROKEN'") as raised:
        load_settings("env:BROKEN")
    assert "a-secret" not in str(raised.value)
    assert raised.value.__context__ is None


def test_a_ledger_connection_that_is_not_there_is_named(in_process: pytest.MonkeyPatch, program: Program) -> None:
    connection = {**program.connection, "extra": {"ledger_conn_id": "gone"}}
    in_process.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(connection))
    with pytest.raises(ConfigurationError, match="ledger_conn_id"):
        find_ledger_url(None)


def test_without_a_connection_the_ledger_is_that_of_the_environment(
    in_process: pytest.MonkeyPatch, program: Program
) -> None:
    in_process.delenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT")
    assert find_ledger_url(None).render_as_string() == program.ledger_url
    with pytest.raises(ConfigurationError, match="no connection 'dropcowboy_default'"):
        find_ledger_url("dropcowboy_default")


@pytest.mark.airflow
def test_a_connection_of_airflows_metadata_database_is_found(program: Program, tmp_path: Path) -> None:
    program.environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'airflow.db'}",
    }
    for words in (
        ("db", "migrate"),
        ("connections", "add", "dropcowboy_stored", "--conn-json", json.dumps(program.connection)),
    ):
        airflow = [Path(sys.executable).with_name("airflow"), *words]
        subprocess.run(airflow, env=os.environ | program.environment, check=True, capture_output=True, timeout=120)
    ended = program.run_alone("brands", "--conn", "dropcowboy_stored", "--json")
    assert ended.code == 0, ended.stderr
    assert BRAND_ID in [brand["brand_id"] for brand in ended.json]
