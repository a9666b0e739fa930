"""The first byte, over real sockets: what was surely not taken, and what may have been."""

import socket
import ssl
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Broken, NotWritten, Request
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.transport.scripted_server import (
    ScriptedServer,
    Step,
    answer,
    close_at_once,
    close_without_a_word,
    cut_off,
    in_turn,
    reset,
    speak_another_protocol,
    tls,
    wait_until_the_client_leaves,
)

SEND = Request("POST", "/rvm", body={"phone_number": "+15045550100"})


def client(base_url: str, *, timeout_s: float = 5.0, verify: bool | str = True) -> Client:
    return Client(Account("team", Secret("s3cret-of-the-team"), base_url), timeout_s=timeout_s, verify=verify)


class TestWhatWasNotWrittenWasNotTaken:
    def test_a_refused_connection_is_not_written(self) -> None:
        with ScriptedServer(is_listening=False) as server, client(server.base_url()) as asking:
            assert asking.call(SEND) == NotWritten("the connection was refused")

    def test_a_name_that_does_not_resolve_is_not_written(self) -> None:
        with client("http://nowhere.invalid/v1") as asking:
            reply = asking.call(SEND)
        assert isinstance(reply, NotWritten)
        assert reply.why.startswith("the host's name could not be resolved, since ")

    def test_a_connection_that_does_not_come_about_in_time_is_not_written(self) -> None:
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for waiting in (first, second):  # the queue of connections nobody accepts is full
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            with client(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout_s=0.2) as asking:
                assert asking.call(SEND) == NotWritten("timed out after 0.2 s")

    def test_a_certificate_that_is_not_trusted_is_not_written(self, tls_context: ssl.SSLContext) -> None:
        with ScriptedServer(tls(tls_context)) as server, client(server.base_url("https")) as asking:
            reply = asking.call(SEND)
        assert isinstance(reply, NotWritten)
        assert "certificate is not accepted" in reply.why
        assert server.requests == []

    @pytest.mark.parametrize("step", [close_at_once, reset, speak_another_protocol])
    def test_a_failed_handshake_is_not_written(self, step: Step) -> None:
        with ScriptedServer(step) as server, client(server.base_url("https")) as asking:
            assert isinstance(asking.call(SEND), NotWritten)

    @pytest.mark.parametrize("step", [answer(403), close_without_a_word, close_at_once, reset])
    def test_a_proxy_that_opens_no_tunnel_is_not_written(self, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(step) as proxy, client("https://api.example/v1") as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            reply = asking.call(SEND)
        assert isinstance(reply, NotWritten)

    def test_a_tunnel_that_breaks_in_the_handshake_is_not_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(answer(200, b"")) as proxy, client("https://api.example/v1") as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), NotWritten)


class TestWhatWasWrittenMayHaveBeenTaken:
    @pytest.mark.parametrize("step", [reset, close_at_once, close_without_a_word])
    def test_a_connection_that_ends_without_an_answer_is_broken(self, step: Step) -> None:
        with ScriptedServer(step) as server, client(server.base_url()) as asking:
            assert isinstance(asking.call(SEND), Broken)

    def test_half_an_answer_is_broken(self) -> None:
        with ScriptedServer(cut_off) as server, client(server.base_url()) as asking:
            assert asking.call(SEND) == Broken("the connection was closed before the whole answer came")

    def test_an_answer_that_does_not_come_in_time_is_broken(self) -> None:
        with ScriptedServer(wait_until_the_client_leaves) as server, client(server.base_url(), timeout_s=3.0) as asking:
            assert asking.call(SEND) == Broken("timed out after 3 s")

    def test_what_is_no_http_is_broken(self) -> None:
        with ScriptedServer(speak_another_protocol) as server, client(server.base_url()) as asking:
            assert isinstance(asking.call(SEND), Broken)

    def test_a_break_after_the_tls_handshake_is_broken(self, tls_context: ssl.SSLContext, certificate: Path) -> None:
        step = in_turn(tls(tls_context), close_without_a_word)
        with ScriptedServer(step) as server, client(server.base_url("https"), verify=str(certificate)) as asking:
            assert isinstance(asking.call(SEND), Broken)
        assert len(server.requests) == 1

    def test_a_break_behind_a_proxy_is_broken(
        self, tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step = in_turn(answer(200, b""), tls(tls_context), close_without_a_word)
        with ScriptedServer(step) as proxy, client("https://127.0.0.1:1/v1", verify=str(certificate)) as asking:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), Broken)
        assert [request.split()[0] for request in proxy.requests] == [b"CONNECT", b"POST"]

    def test_a_forwarding_proxy_that_breaks_is_broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(close_without_a_word) as proxy, client("http://api.example/v1") as asking:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(asking.call(SEND), Broken)
