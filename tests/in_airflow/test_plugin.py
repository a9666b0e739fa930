"""Airflow's API server receives callbacks, and what it protects stays protected."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.secret import Secret
from tests.in_airflow.api_server import GuardedServer
from tests.in_airflow.processes import DEADLINE_S, AirflowProcesses
from tests.in_airflow.vendor import connection_to
from tests.integration.conftest import default_plan, people
from tests.integration.receiver.running import CALLBACK_SECRET, Asked
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def ledger(airflow_processes: AirflowProcesses) -> Iterator[Ledger]:
    """The embedded one of the running Airflow."""
    opened = open_ledger(f"sqlite:///{airflow_processes.home / 'dropcowboy-ledger.db'}", may_create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def receiver(airflow_processes: AirflowProcesses, ledger: Ledger, sandbox: SandboxProcess) -> Asked:
    """The one under the API server's prefix, with its connection stored by now."""
    asked = Asked(f"{airflow_processes.url}/dropcowboy")
    if "dropcowboy_default" in str(asked.ready()["problems"]):
        fields = connection_to(sandbox)
        extra = json.dumps(fields.pop("extra") | {"callback_secret": CALLBACK_SECRET})
        airflow_processes.add_connection("dropcowboy_default", **fields, extra=extra)
    asked.wait_for_ledger()
    return asked


def test_the_outcome_of_a_send_comes_in_through_the_api_server(
    receiver: Asked, ledger: Ledger, sandbox: SandboxProcess, airflow_processes: AirflowProcesses
) -> None:
    plan = default_plan(
        sandbox.base_url,
        team_id=sandbox.team_id,
        secret=sandbox.secret,
        campaign="by plugin",
        callback_url=receiver.url,
        callback_secret=Secret(CALLBACK_SECRET),
    )
    run_campaign(plan, ledger, rows=people(20), control=Control())
    assert sandbox.callbacks(wait_for=20)["by_answer"] == {"200": 20}
    said = sandbox.sends()
    with ledger.reading() as connection:
        rows = connection.execute(SENDS.select().where(SENDS.c.foreign_id.in_(list(said)))).all()
    assert len(rows) == 20
    assert {row.state for row in rows} <= {"delivered", "failed"}
    log = (airflow_processes.home / "api-server.log").read_text()
    assert "callbacks/***" in log, "accesses are logged, without their tokens"
    for foreign_id, send in said.items():
        assert receiver.token(foreign_id) not in log
        assert send["phone_number"] not in log
    assert CALLBACK_SECRET not in log


def test_a_forged_callback_is_refused(receiver: Asked) -> None:
    assert receiver.post("f1", secret="guessed-secret").status_code == 404


@pytest.fixture
def guarded(migrated_database: Path, tmp_path: Path) -> Iterator[GuardedServer]:
    """An API server at which people must log in, unlike the other one."""
    fields = {
        "conn_type": "dropcowboy",
        "login": "team",
        "password": "the-api-secret",
        "extra": {"callback_secret": CALLBACK_SECRET},
    }
    environment = {"AIRFLOW_CONN_DROPCOWBOY_DEFAULT": json.dumps(fields)}
    with GuardedServer(tmp_path, migrated_database, environment=environment) as server:
        yield server


def test_what_airflow_protects_stays_protected(guarded: GuardedServer) -> None:
    for path in ("/api/v2/dags", "/api/v2/connections", "/ui/config", "/api/v2/plugins"):
        assert requests.get(guarded.url + path, timeout=DEADLINE_S).status_code == 401
    receiver = Asked(f"{guarded.url}/dropcowboy")
    assert receiver.post("f1").status_code == 200, "the vendor does not log in"
    assert receiver.post("f1", secret="guessed-secret").status_code == 404
    ready, metrics = (
        receiver.session.get(f"{receiver.url}/{path}", timeout=DEADLINE_S) for path in ("ready", "metrics")
    )
    assert (ready.text, metrics.status_code) == ("ready\n", 401), "who is not logged in is told yes or no"
    person = guarded.logged_in()
    ready, metrics = (person.get(f"{receiver.url}/{path}", timeout=DEADLINE_S) for path in ("ready", "metrics"))
    assert ready.json()["ready"] is True
    assert "dropcowboy_callbacks_received_total" in metrics.text


def test_nobody_is_shown_the_receivers_routes(receiver: Asked) -> None:
    for path in ("/docs", "/redoc", "/openapi.json", "/webhook"):
        assert receiver.session.get(receiver.url + path, timeout=DEADLINE_S).status_code == 404


def test_airflow_knows_the_plugin_and_found_nothing_wrong_with_it(airflow_processes: AirflowProcesses) -> None:
    plugins = requests.get(f"{airflow_processes.url}/api/v2/plugins", timeout=DEADLINE_S).json()["plugins"]
    (ours,) = (plugin for plugin in plugins if plugin["name"] == "dropcowboy")
    assert [app["url_prefix"] for app in ours["fastapi_apps"]] == ["/dropcowboy-report", "/dropcowboy"]
    errors = requests.get(f"{airflow_processes.url}/api/v2/plugins/importErrors", timeout=DEADLINE_S).json()
    assert errors["total_entries"] == 0
