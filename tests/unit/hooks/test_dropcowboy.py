"""The hook on a connection of the environment; nothing here goes over a network."""

import json
import pickle
import signal
from types import FrameType

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, redact
from airflow.sdk import Connection

from airflow_provider_dropcowboy.api.wire import Reply, Request
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.transport.client import Client


def connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> DropCowboyHook:
    """A hook on a connection; nobody listens at its host."""
    connection = {
        "conn_type": "dropcowboy",
        "login": "team",
        "password": "s3cret-of-the-team",
        "host": "http://127.0.0.1:1",
        **fields,
    }
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(connection))
    return DropCowboyHook()


def test_the_connection_is_read_once_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, extra={"timeout_s": 3, "default_brand_id": "b1"})
    assert (hook.settings.timeout_s, hook.settings.default_brand_id) == (3.0, "b1")
    assert hook.account.name == "team@127.0.0.1:1"


@pytest.mark.parametrize("text", ["pass/word of+the&team", "signs/all callbacks?", "carrier token/of=ours"])
def test_a_secret_is_masked_in_every_form(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(
        monkeypatch,
        password="pass/word of+the&team",
        extra={"callback_secret": "signs/all callbacks?", "byoc_secret": {"tkn": "carrier token/of=ours"}},
    )
    forms = {form for secret in hook.settings.secrets() if secret.reveal() == text for form in secret.forms()}
    assert len(forms) == 4 - (" " not in text)
    for form in forms:
        assert redact(f"posting {form} now") == "posting *** now"


@pytest.mark.parametrize("host", ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", "127.0.0.1:8080"])
def test_the_test_buttons_way_through_a_uri_changes_nothing(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = None if "://" in host else "http"
    extra = {"verify": False, "timeout_s": 2, "byoc_secret": {"token": "carrier-token"}}
    made = Connection(
        conn_id="any", conn_type="dropcowboy", login="team", password="s3cret/@ team".replace(" ", ""), host=host,
        schema=schema, extra=json.dumps(extra),
    )  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", made.get_uri())
    settings = DropCowboyHook().settings
    assert settings.account.base_url == "http://127.0.0.1:8080/v1"
    assert settings.account.secret.reveal() == "s3cret/@team"
    assert (settings.verify, settings.timeout_s, settings.byoc) == (False, 2.0, {"token": "carrier-token"})


def test_a_hook_does_not_carry_its_secret_into_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch)
    assert b"s3cret" not in pickle.dumps(hook)
    _ = hook.settings
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(hook)


def test_a_wrong_connection_fails_a_test_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    works, message = connect(monkeypatch, extra={"max_concurrency": 1000}).test_connection()
    assert (works, "max_concurrency" in message) == (False, True)


def test_a_wrong_connection_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, password="")
    with pytest.raises(ConfigurationError):
        _ = hook.settings
    with pytest.raises(AirflowFailException, match="secret"):
        hook.list_brands()


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ({"phone_number": "Ann 2", "recording_id": "r"}, "phone_number: "),
        ({"phone_number": "+15045550100", "recording_id": "r", "forwarding_number": "Ann"}, "forwarding_number"),
        ({"phone_number": "+15045550100"}, "exactly one"),
        ({"phone_number": "+15045550100", "recording_id": "r", "foreign_id": "f" * 257}, "foreign_id"),
    ],
)
def test_a_voicemail_that_cannot_be_is_not_sent(
    message: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AirflowFailException, match=named) as caught:
        connect(monkeypatch).send_rvm(brand_id="b", **message)
    assert "Ann" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_text_goes_to_nobody_who_did_not_opt_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="opt_in"):
        connect(monkeypatch).send_sms(
            phone_number="+15045550100", sms_body="Hello", caller_id="+15045550199", pool_id="p", opt_in=False
        )


def test_an_execution_timeout_in_the_middle_of_a_send_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch)

    def alarm(signum: int, frame: FrameType | None) -> None:
        raise AirflowTaskTimeout

    def call(client: Client, request: Request) -> Reply:
        signal.raise_signal(signal.SIGALRM)  # as Airflow's execution_timeout does
        raise AssertionError

    before = signal.signal(signal.SIGALRM, alarm)
    monkeypatch.setattr(Client, "call", call)
    try:
        with pytest.raises(AirflowFailException, match="may have been carried out"):
            hook.send_rvm(phone_number="+15045550100", brand_id="b", recording_id="r")
        with pytest.raises(AirflowFailException, match="may have been carried out"):
            hook.create_list("due")
        with pytest.raises(AirflowTaskTimeout):
            hook.list_brands()
    finally:
        signal.signal(signal.SIGALRM, before)
