"""Many sends over real sockets: what comes back, whom a sender trusts, and the proxies of the environment."""

import contextlib
import json
import socket
import ssl
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten
from airflow_provider_dropcowboy.errors import ConfigurationError
from tests.integration.transport.bulk_asking import BODY, KEPT, QUEUED, SECRET, WAIT_S, post
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    answer,
    in_turn,
    tls,
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class TestAnswers:
    def test_a_whole_answer_is_handed_on_as_it_is(self) -> None:
        date = "Tue, 24 Nov 2026 12:00:00 GMT"
        with ScriptedServer(answer(429, b"{}", Retry_After="7", Date=date)) as server:
            assert post(server.base_url()) == Answer(429, b"{}", retry_after="7", date=date)

    @pytest.mark.parametrize("status", [200, 204, 400, 401, 408, 500, 503])
    def test_no_status_is_judged_here(self, status: int) -> None:
        with ScriptedServer(answer(status, b"")) as server:
            assert post(server.base_url()) == Answer(status, b"")

    def test_the_request_holds_what_the_vendor_reads(self) -> None:
        with ScriptedServer(answer(200, QUEUED)) as server:
            post(server.base_url())
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /v1/rvm HTTP/1.1\r\n")
        lines = head.decode().lower().split("\r\n")
        assert {"x-team-id: team", f"x-secret: {SECRET}", "content-type: application/json"} <= set(lines)
        assert json.loads(body) == BODY

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_the_target_of_a_redirect_sees_nothing(self, status: int) -> None:
        with socket.socket() as target:
            target.bind(("127.0.0.1", 0))
            target.listen()
            location = f"http://127.0.0.1:{target.getsockname()[1]}/v1/rvm"
            with ScriptedServer(answer(status, b"", Location=location)) as server:
                assert post(server.base_url()) == Answer(status, b"")
            target.setblocking(False)
            with pytest.raises(BlockingIOError):
                target.accept()

    def test_an_endless_answer_is_read_to_a_bound_and_its_connection_closed(self) -> None:
        def pour(conversation: Conversation) -> None:
            conversation.read_request()
            conversation.peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    conversation.peer.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

        with ScriptedServer(pour) as server:
            reply = post(server.base_url())
            assert server.closed[0].wait(WAIT_S)
        assert reply == Broken("the answer is too long")

    def test_cookies_are_not_sent_back(self) -> None:
        with ScriptedServer(in_turn(answer(200, QUEUED, keep_alive=True, Set_Cookie="a=b; Path=/"), KEPT)) as server:
            post(server.base_url(), times=2)
        assert b"cookie" not in server.requests[1].lower()


class TestTrust:
    def test_an_own_certificate_authority_is_trusted_by_its_path(
        self, certificate: Path, tls_context: ssl.SSLContext
    ) -> None:
        with ScriptedServer(in_turn(tls(tls_context), answer(200, QUEUED))) as server:
            assert post(server.base_url("https"), verify=str(certificate)) == Answer(200, QUEUED)

    def test_a_certificate_is_not_looked_at_where_the_user_says_so(self, tls_context: ssl.SSLContext) -> None:
        with ScriptedServer(in_turn(tls(tls_context), answer(200, QUEUED))) as server:
            assert post(server.base_url("https"), verify=False) == Answer(200, QUEUED)

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_file_that_holds_no_certificate_is_a_wrong_setting(self, content: str | None, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        if content:
            path.write_text(content)
        with pytest.raises(ConfigurationError, match=r"ca\.pem.*Nothing was sent"):
            post("https://127.0.0.1:1/v1", verify=str(path))


class TestProxies:
    def test_the_proxy_of_the_environment_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(answer(200, QUEUED)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.base_url().removesuffix("/v1"))
            assert post("http://api.vendor.example/v1") == Answer(200, QUEUED)
        assert proxy.requests[0].startswith(b"POST http://api.vendor.example/v1/rvm HTTP/1.1\r\n")

    def test_a_host_that_the_environment_excepts_is_asked_directly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(answer(200, QUEUED)) as server, ScriptedServer(answer(500)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.base_url().removesuffix("/v1"))
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            assert post(server.base_url()) == Answer(200, QUEUED)
        assert proxy.requests == []

    def test_a_proxy_that_is_not_there_is_not_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(is_listening=False) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.base_url().removesuffix("/v1"))
            assert isinstance(post("http://api.vendor.example/v1"), NotWritten)
