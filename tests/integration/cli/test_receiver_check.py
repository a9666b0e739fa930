"""``dropcowboy doctor`` asks the callback URL whether results will arrive."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.cli.checks import FIX, OK, WARN, look_at_receiver
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import upgrade_ledger
from airflow_provider_dropcowboy.receiver.wiring import Wiring
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.receiver.running import CALLBACK_SECRET, RunningReceiver
from tests.integration.transport.scripted_server import ScriptedServer, answer
from tests.sandbox_process import SandboxProcess

ACCOUNT = Account("team", Secret("team-secret"), "https://api.dropcowboy.com/v1")
SETTINGS = ConnectionSettings(
    account=ACCOUNT,
    callback_secret=Secret(CALLBACK_SECRET),
)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[RunningReceiver]:
    """A receiver whose ledger is open."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade_ledger(url)
    with RunningReceiver(tmp_path / "spool", ledger_url=url) as running:
        running.wait_for_ledger()
        yield running


def test_a_receiver_that_knows_the_secret_is_well_and_nothing_is_left_there(receiver: RunningReceiver) -> None:
    found = look_at_receiver(replace(SETTINGS, callback_url=receiver.url))
    assert found.mark == OK
    assert "is reached from this machine, and knows the callback_secret" in found.text
    assert receiver.metric("dropcowboy_callbacks_received_total") == 0
    assert receiver.metric("dropcowboy_callbacks_forged_total") == 0


def test_a_receiver_without_the_secret_is_told(receiver: RunningReceiver) -> None:
    settings = replace(SETTINGS, callback_url=receiver.url, callback_secret=Secret("the-secret-of-another"))
    found = look_at_receiver(settings)
    assert found.mark == FIX
    assert "does not know the connection's callback_secret" in found.text
    assert "the-secret-of-another" not in found.text


def test_a_receiver_without_a_ledger_is_told(tmp_path: Path) -> None:
    def find() -> Wiring:
        raise ConfigurationError("There is no connection.")

    with RunningReceiver(tmp_path / "spool", ledger_url="", find=find) as running:
        found = look_at_receiver(replace(SETTINGS, callback_url=running.url))
    assert found.mark == FIX
    assert "/ready says what is wrong (HTTP 503)" in found.text


def test_another_server_at_the_callback_url_is_told(sandbox: SandboxProcess) -> None:
    found = look_at_receiver(replace(SETTINGS, callback_url=sandbox.base_url))
    assert found.mark == FIX
    assert "something else answers there (HTTP 404)" in found.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://nowhere.invalid"])
def test_a_callback_url_where_nobody_listens_is_told(url: str) -> None:
    found = look_at_receiver(replace(SETTINGS, callback_url=url))
    assert found.mark == FIX
    assert f"{url} was not reached from this machine: the " in found.text


def test_who_wants_no_results_has_nothing_to_mend() -> None:
    for settings, said in (
        (SETTINGS, "no callback_url"),
        (replace(SETTINGS, callback_url="https://ours.example.com", callback_secret=None), "no callback_secret"),
    ):
        found = look_at_receiver(settings)
        assert found.mark == WARN
        assert said in found.text


def test_no_credential_goes_to_the_callback_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with ScriptedServer(answer(404), answer(404)) as server:
        look_at_receiver(replace(SETTINGS, callback_url=server.base_url()))
    said = b"".join(server.requests).lower()
    assert b"get /v1/callbacks/doctor.0." in said
    for hidden in (b"authorization", b"x-secret", b"team-secret", CALLBACK_SECRET.encode()):
        assert hidden not in said
