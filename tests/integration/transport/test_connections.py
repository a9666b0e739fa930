"""Which connections the client uses, and which not."""

import ssl
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.api.wire import Answer, Request
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    answer,
    in_turn,
    tls,
    wait_until_the_client_leaves,
)

SECRET = "s3cret/of-the-team"
SEND = Request("POST", "/rvm", body={"phone_number": "+15045550100"})


def client(base_url: str, *, verify: bool | str = True) -> Client:
    return Client(Account("team", Secret(SECRET), base_url), timeout_s=5.0, verify=verify)


def test_an_answer_that_nobody_asked_for_is_not_the_next_calls() -> None:
    def answer_twice(conversation: Conversation) -> None:
        answer(404, b'{"error": "No such brand"}', keep_alive=True)(conversation)
        conversation.peer.sendall(b"HTTP/1.1 404 Said\r\nContent-Length: 0\r\n\r\n")
        wait_until_the_client_leaves(conversation)

    question = V1().brands().request
    with ScriptedServer(answer_twice, answer()) as server, client(server.base_url()) as asking:
        assert asking.call(question) == Answer(404, b'{"error": "No such brand"}')
        assert asking.call(question) == Answer(200, b"[]")
    assert len(server.requests) == 2


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again() -> None:
    with (
        ScriptedServer(answer(keep_alive=True), answer(body=b'{"status": "queued"}')) as server,
        client(server.base_url()) as asking,
    ):
        asking.ask(V1().brands())
        assert server.closed[0].wait(20)
        assert asking.call(SEND) == Answer(200, b'{"status": "queued"}')
    assert len(server.requests) == 2


@pytest.mark.parametrize("call", [SEND, V1().brands().request])
def test_no_call_goes_out_on_a_used_connection(call: Request) -> None:
    stays_open = in_turn(answer(keep_alive=True), wait_until_the_client_leaves)
    with ScriptedServer(stays_open, answer()) as server, client(server.base_url()) as asking:
        asking.ask(V1().brands())
        assert asking.call(call) == Answer(200, b"[]")
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with ScriptedServer(answer()) as target:
        step = answer(status, b"", Location=f"{target.base_url()}/rvm")
        with ScriptedServer(step) as server, client(server.base_url()) as asking:
            assert asking.call(SEND) == Answer(status)
    assert target.requests == []


def test_a_proxy_of_the_environment_is_used(
    tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = in_turn(answer(200, b""), tls(tls_context), answer())
    with ScriptedServer(step) as proxy, client("https://127.0.0.1:1/v1", verify=str(certificate)) as asking:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert asking.ask(V1().brands()) == ()
    assert SECRET.encode() not in proxy.requests[0]


def test_a_host_that_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(answer()) as server, client(server.base_url()) as asking:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert asking.ask(V1().brands()) == ()


def test_a_socks_proxy_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    with client("https://api.example/v1") as asking, pytest.raises(ConfigurationError, match="SOCKS"):
        asking.call(SEND)


def test_a_ca_bundle_is_trusted(tls_context: ssl.SSLContext, certificate: Path) -> None:
    step = in_turn(tls(tls_context), answer())
    with ScriptedServer(step) as server, client(server.base_url("https"), verify=str(certificate)) as asking:
        assert asking.ask(V1().brands()) == ()


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_can_be_turned_off(tls_context: ssl.SSLContext) -> None:
    step = in_turn(tls(tls_context), answer())
    with ScriptedServer(step) as server, client(server.base_url("https"), verify=False) as asking:
        assert asking.ask(V1().brands()) == ()


def test_a_ca_bundle_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.pem"):
        client("https://api.example/v1", verify=str(tmp_path / "gone.pem"))
