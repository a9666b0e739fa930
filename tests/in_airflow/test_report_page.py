"""The report page in Airflow's API server: behind its login, with the numbers of a run that was just made."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.in_airflow.api_server import GuardedServer
from tests.in_airflow.processes import DEADLINE_S, AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import number, rows
from tests.integration.reports.page.page_server import text_of
from tests.integration.sent import ACCOUNT, Sent, phone
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.floor]

SENDING = """
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG("reported", schedule=None):
    SendRvmOperator(
        task_id="send",
        contacts=lambda: {contacts!r},
        key_column="contact_id",
        dropcowboy_conn_id="reported",
        **{voicemail!r},
    )
"""


@pytest.fixture
def server(migrated_database: Path, tmp_path: Path) -> Iterator[GuardedServer]:
    """An API server at which people must log in, with a ledger in which somebody was asked."""
    environment = {"DROPCOWBOY_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}"}
    with GuardedServer(tmp_path, migrated_database, environment=environment) as running:
        yield running


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[Sent]:
    ledger: Ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", may_create=True)
    sent = Sent(ledger)
    sent.ask([1, 2])
    sent.tell(1)
    sent.end()
    yield sent
    ledger.engine.dispose()


def test_who_is_logged_out_sees_nothing_and_is_led_to_the_login_and_back(sent: Sent, server: GuardedServer) -> None:
    page = f"{server.url}/dropcowboy-report/campaign?account={ACCOUNT}&campaign=spring"
    answers = [
        requests.get(page, timeout=DEADLINE_S),
        requests.get(page, headers={"Authorization": "Bearer forged"}, timeout=DEADLINE_S),
        requests.get(page, cookies={"_token": "forged"}, timeout=DEADLINE_S),
        requests.post(f"{server.url}/dropcowboy-report/message", data={"contact": "1"}, timeout=DEADLINE_S),
        requests.get(f"{server.url}/dropcowboy-report/openapi.json", timeout=DEADLINE_S),
    ]
    assert all(answer.status_code in {401, 403} for answer in answers)
    assert not any("spring" in answer.text for answer in answers)
    browser = {"Accept": "text/html,application/xhtml+xml"}
    led = requests.get(page, headers=browser, allow_redirects=False, timeout=DEADLINE_S)
    assert led.status_code == 303
    login = urlsplit(led.headers["Location"])
    assert requests.get(f"{server.url}{login.path}", timeout=DEADLINE_S).status_code == 200
    (back,) = parse_qs(login.query)["next"]
    assert back == page.removeprefix(server.url)

    with server.logged_in() as session:
        shown = session.get(f"{server.url}{back}", timeout=DEADLINE_S)
        assert shown.status_code == 200
        assert "Sent 2" in text_of(shown)
        form = {"account": ACCOUNT, "campaign": "spring", "contact": "1"}
        life = session.post(f"{server.url}/dropcowboy-report/message", data=form, timeout=DEADLINE_S)
        assert "State Delivered" in text_of(life)
        assert str(phone(1)) in text_of(life)


def test_a_run_just_made_is_reported_from_the_navigation_the_dag_run_and_the_task(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess
) -> None:
    fields = connection_to(sandbox)
    airflow_processes.add_connection("reported", **fields | {"extra": json.dumps(fields["extra"])})
    source = SENDING.format(contacts=[*rows(7), {"contact_id": "wrong", "phone": "12"}], voicemail=VOICEMAIL)
    airflow_processes.add_dag("reported", source)
    run_id = airflow_processes.trigger("reported")
    assert airflow_processes.wait_for_run("reported", run_id) == "success"

    token = requests.get(f"{airflow_processes.url}/auth/token", timeout=DEADLINE_S).json()["access_token"]
    browser = requests.Session()
    browser.cookies.set("_token", token)
    views = {view["destination"]: view["href"] for view in _views(browser, airflow_processes.url)}
    assert set(views) == {"nav", "dag_run", "task_instance"}
    # as the user interface fills them in: of a task that is not mapped, {MAP_INDEX} stays
    ids = {"{DAG_ID}": "reported", "{RUN_ID}": quote(run_id, safe=""), "{TASK_ID}": "send"}
    for place, template in views.items():
        href = template
        for name, value in ids.items():
            href = href.replace(name, value)
        shown = browser.get(f"{airflow_processes.url}/{href}", timeout=DEADLINE_S)
        assert shown.status_code == 200, place
        text = text_of(shown)
        assert f"reported.send@{run_id}" in text, place
        if place == "nav":
            # no callback URL: no result can come
            assert re.search(rf"{re.escape(run_id)} (\S+ ){{5,6}}7 – – 0 0 ", text), text
        else:
            assert "Sent 7 Refused 0 In doubt 0" in text
            assert "Accepted 7" in text
            assert "1 invalid" in text
        assert not any(number(index).removeprefix("+1") in shown.text for index in range(7))


def _views(browser: requests.Session, url: str) -> list[dict[str, str]]:
    """What the user interface is told of the page."""
    plugins = browser.get(f"{url}/api/v2/plugins", timeout=DEADLINE_S).json()["plugins"]
    (ours,) = (plugin for plugin in plugins if plugin["name"] == "dropcowboy")
    found: list[dict[str, str]] = ours["external_views"]
    return found
