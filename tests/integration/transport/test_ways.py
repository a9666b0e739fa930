"""What holds on every way to the API: plain, by TLS, through a proxy, through a proxy's tunnel."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.bulk import BulkSender
from tests.clock import MovableClock
from tests.integration.transport.bulk_asking import BODY, KEPT, QUEUED, SECRET, WAIT_S, lease_ends, say
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    Step,
    answer,
    close_without_a_word,
    cut_off,
    in_turn,
    tls,
    wait_until_the_client_leaves,
)

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED
STRAY = b"HTTP/1.1 429 Said\r\nContent-Length: 0\r\n\r\n"
PROXY_USER = "user"
PROXY_PASSWORD = "p@ss"
PROXY_LINE = b"Proxy-Authorization: Basic " + base64.b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode())


@dataclass(frozen=True)
class Way:
    """One way to an API.

    :param prefix: what the server does on a new connection, before the first request.
    :param base_url: of the API, by the server's port.
    """

    name: str
    prefix: Step
    base_url: Callable[[int], str]
    verify: bool | str

    @contextmanager
    def server(self, *steps: Step) -> Iterator[ScriptedServer]:
        """A server at the end of the way: each connection takes the next step."""
        with (
            ScriptedServer(*(in_turn(self.prefix, step) for step in steps)) as server,
            pytest.MonkeyPatch.context() as env,
        ):
            for scheme in ("http", "https") if self.name in {"proxy", "tunnel"} else ():
                env.setenv(f"{scheme}_proxy", f"http://{PROXY_USER}:p%40ss@127.0.0.1:{server.port}")
            yield server

    def ask(
        self, server: ScriptedServer, *, times: int = 1, timeout_s: float = WAIT_S, body: dict[str, str] = BODY
    ) -> Reply:
        """The last reply of so many requests, one after the other."""

        async def ask() -> Reply:
            account = Account("team", Secret(SECRET), self.base_url(server.port))
            async with BulkSender(account, connections=1, timeout_s=timeout_s, verify=self.verify) as wire:
                for _ in range(times):
                    await wire.settle()  # a connection that rested for a time carries the next one
                    reply = await wire.post("/rvm", body, lease_ends=lease_ends())
                return reply

        reply = asyncio.run(ask())
        assert SECRET not in repr(reply)
        return reply


def nothing(_conversation: Conversation) -> None: ...


@pytest.fixture(params=["plain", "TLS", "proxy", "tunnel"])
def way(
    request: pytest.FixtureRequest, tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Way:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    handshake = tls(tls_context)
    opened = say(b"HTTP/1.1 200 Connection established\r\n\r\n")
    ways = [
        Way("plain", nothing, lambda port: f"http://127.0.0.1:{port}/v1", True),
        Way("TLS", handshake, lambda port: f"https://127.0.0.1:{port}/v1", str(certificate)),
        Way("proxy", nothing, lambda _port: "http://api.vendor.example/v1", True),
        Way("tunnel", in_turn(opened, handshake), lambda _port: "https://127.0.0.1/v1", str(certificate)),
    ]
    return next(way for way in ways if way.name == request.param)


def sends(server: ScriptedServer) -> list[bytes]:
    """The requests that were read, without a proxy's own."""
    return [request for request in server.requests if not request.startswith(b"CONNECT ")]


def test_one_connection_carries_one_request_after_another(way: Way) -> None:
    with way.server(in_turn(KEPT, KEPT, KEPT)) as server:
        assert way.ask(server, times=3) == Answer(200, QUEUED)
    assert len(sends(server)) == 3


@pytest.mark.parametrize("step", [close_without_a_word, cut_off, say(b"HTTP/1.1 200 OK\r\n\r\n" + QUEUED)])
def test_what_breaks_after_the_first_byte_is_in_doubt(way: Way, step: Step) -> None:
    with way.server(step) as server:
        assert isinstance(way.ask(server), Broken)
    assert len(sends(server)) == 1


def test_an_answer_that_does_not_come_in_time_is_in_doubt(way: Way) -> None:
    with way.server(wait_until_the_client_leaves) as server:
        assert way.ask(server, timeout_s=3.0) == Broken("timed out after 3 s")  # a handshake is counted by it too


def test_after_the_lease_not_one_byte_of_the_request_is_written(way: Way) -> None:
    read: list[bytes] = []
    clock = MovableClock()
    lease = clock.deadline(timedelta(hours=1))
    clock.suspend(timedelta(hours=1))

    async def ask(base_url: str) -> Reply:
        account = Account("team", Secret(SECRET), base_url)
        async with BulkSender(account, connections=1, timeout_s=WAIT_S, verify=way.verify, clock=clock) as wire:
            return await wire.post("/rvm", BODY, lease_ends=lease)

    with way.server(lambda conversation: read.append(conversation.peer.recv(65536))) as server:
        reply = asyncio.run(ask(way.base_url(server.port)))
        assert server.closed[0].wait(WAIT_S)
    assert reply == NotWritten("the claim's lease was over")
    assert b"".join(read) == b""


def test_an_answer_before_its_request_was_written_whole_is_in_doubt(way: Way) -> None:
    is_over = threading.Event()

    def answer_half_way(conversation: Conversation) -> None:
        conversation.peer.recv(1)
        conversation.peer.sendall(STRAY)
        is_over.wait(WAIT_S)

    with way.server(answer_half_way) as server:
        long = {**BODY, "tts_body": "x" * 20_000_000}  # more than the system takes at once
        assert way.ask(server, body=long) == Broken("an answer came before the request was written")
        is_over.set()


def test_a_server_that_speaks_before_it_was_asked_gets_no_request(way: Way) -> None:
    def speak(conversation: Conversation) -> None:
        conversation.peer.sendall(ACCEPTED)
        if conversation.peer.recv(65536):
            conversation.requests.append(b"a request")

    with way.server(speak, KEPT) as server:
        reply = way.ask(server)
    # the bytes may arrive after the request was written; then they are its answer, and nobody can tell
    assert isinstance(reply, NotWritten) == (sends(server) == [])


def test_an_answer_that_frees_the_message_counts_once_a_later_request_was_answered(way: Way) -> None:
    with way.server(in_turn(KEPT, answer(429, b"{}", keep_alive=True), answer(404, b"Cannot GET it"))) as server:
        assert way.ask(server, times=2) == Answer(429, b"{}")
    check = sends(server)[2]
    assert b"/v1/no-such-path-" in check.splitlines()[0]
    assert SECRET.encode() not in check
    assert b"x-team-id" not in check.lower()


NOT_FOUND = b"HTTP/1.1 404 Said\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
"""What answers the check."""


@pytest.mark.parametrize("own", [wait_until_the_client_leaves, say(ACCEPTED), say(ACCEPTED + NOT_FOUND)])
def test_it_is_in_doubt_if_the_messages_own_answer_comes_late_or_never(way: Way, own: Step) -> None:
    with way.server(in_turn(KEPT, say(STRAY), own)) as server:
        timeout_s = 3.0 if own is wait_until_the_client_leaves else WAIT_S
        assert isinstance(way.ask(server, times=2, timeout_s=timeout_s), Broken)


def test_credentials_reach_only_whom_they_are_for(way: Way) -> None:
    """The account's go to the API, and through a tunnel unseen; the proxy's go to the proxy."""
    with way.server(in_turn(KEPT, KEPT)) as server:
        way.ask(server, times=2)
    for request in server.requests:
        is_to_proxy = way.name == "proxy" or request.startswith(b"CONNECT ")
        assert (PROXY_LINE in request) == is_to_proxy
        assert (SECRET.encode() in request) == (not request.startswith(b"CONNECT "))
    targets = {
        "plain": b"POST /v1/rvm HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port,
        "TLS": b"POST /v1/rvm HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port,
        "proxy": b"POST http://api.vendor.example/v1/rvm HTTP/1.1\r\nHost: api.vendor.example\r\n",
        "tunnel": b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n",
    }
    assert server.requests[0].startswith(targets[way.name])


class TestProxies:
    def test_a_proxy_may_speak_tls_itself(
        self, tls_context: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        way = Way("", nothing, lambda _port: "http://api.vendor.example/v1", str(certificate))
        with ScriptedServer(in_turn(tls(tls_context), KEPT)) as proxy:
            monkeypatch.setenv("http_proxy", f"https://127.0.0.1:{proxy.port}")
            assert way.ask(proxy) == Answer(200, QUEUED)
        assert proxy.requests[0].startswith(b"POST http://api.vendor.example/v1/rvm HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        "said",
        [
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nmore",
            b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
            b"220 mail.example ready\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
        ],
        ids=["credentials", "more than the answer", "redirect", "another protocol", "endless"],
    )
    def test_a_tunnel_that_does_not_open_is_not_written(self, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        way = Way("", nothing, lambda _port: "https://api.vendor.example/v1", True)
        with ScriptedServer(say(said)) as proxy:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            assert isinstance(way.ask(proxy), NotWritten)
        assert SECRET not in str(proxy.requests)

    @pytest.mark.parametrize("url", ["socks5://127.0.0.1:1", "ftp://127.0.0.1:1", "http://"])
    def test_a_proxy_of_another_kind_is_a_wrong_setting(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        way = Way("", nothing, lambda _port: "https://api.vendor.example/v1", True)
        monkeypatch.setenv("https_proxy", url)
        with ScriptedServer() as server, pytest.raises(ConfigurationError, match="HTTPS_PROXY"):
            way.ask(server)


def test_a_host_with_several_addresses_is_reached_by_the_one_that_answers() -> None:
    way = Way("", nothing, lambda port: f"http://localhost:{port}/v1", True)  # 127.0.0.1 and ::1, where there is one
    with ScriptedServer(KEPT) as server:
        assert way.ask(server) == Answer(200, QUEUED)


def test_a_secret_that_would_add_a_header_is_a_wrong_setting() -> None:
    async def ask() -> None:
        async with BulkSender(
            Account("team", Secret("a\r\nX-Evil: b"), "http://127.0.0.1:1"), connections=1, timeout_s=1.0, verify=True
        ):
            pass

    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        asyncio.run(ask())
