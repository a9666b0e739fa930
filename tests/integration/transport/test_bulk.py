"""Many sends over real sockets: what was written, and what may have been taken."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.transport.bulk import NothingWrittenError
from tests.clock import MovableClock
from tests.integration.transport.bulk_asking import (
    BODY,
    KEPT,
    QUEUED,
    SECRET,
    WAIT_S,
    lease_ends,
    post,
    reset_once_read,
    reset_unread,
    say,
    sender,
)
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    Step,
    close_at_once,
    close_without_a_word,
    cut_off,
    in_turn,
    reset,
    tls,
    wait_until_the_client_leaves,
)

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class TestWhatWasNotWrittenWasNotTaken:
    def test_a_refused_connection_is_not_written(self) -> None:
        with ScriptedServer(is_listening=False) as server:
            assert post(server.base_url()) == NotWritten("the connection was refused")  # and no address

    def test_a_name_that_does_not_resolve_is_not_written(self) -> None:
        reply = post("http://nowhere.invalid/v1")
        assert isinstance(reply, NotWritten)
        assert reply.why.startswith("the host's name could not be resolved, since ")

    @pytest.mark.parametrize("host", ["a..b", "x" * 64])
    def test_a_name_that_is_none_is_not_written(self, host: str) -> None:
        assert isinstance(post(f"http://{host}/v1"), NotWritten)

    def test_a_connection_that_does_not_come_about_in_time_is_not_written(self) -> None:
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for waiting in (first, second):  # the queue of connections nobody accepts is full
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            assert post(url, timeout_s=0.2) == NotWritten("timed out after 0.2 s")

    def test_a_certificate_that_is_not_trusted_is_not_written(self, tls_context: ssl.SSLContext) -> None:
        with ScriptedServer(tls(tls_context)) as server:
            refused = NotWritten("the host's TLS certificate is not accepted: self-signed certificate")
            assert post(server.base_url("https")) == refused
        assert server.requests == []

    @pytest.mark.parametrize("step", [close_at_once, reset, reset_unread])
    def test_a_failed_handshake_is_not_written(self, step: Step) -> None:
        with ScriptedServer(step) as server:
            assert isinstance(post(server.base_url("https")), NotWritten)

    @pytest.mark.parametrize("passes", ["suspended", "set forward", "suspended and set back"])
    def test_after_the_lease_not_one_byte_is_written(self, passes: str) -> None:
        """The lease ends by the boot clock or by the wall clock, whichever is first."""
        clock = MovableClock()
        lease = clock.deadline(HOUR)
        clock.suspend(HOUR if "suspended" in passes else timedelta(0))
        clock.set_wall({"suspended": timedelta(0), "set forward": HOUR, "suspended and set back": -2 * HOUR}[passes])
        bytes_read: list[bytes] = []

        def count(conversation: Conversation) -> None:
            bytes_read.append(conversation.peer.recv(65536))

        async def ask(base_url: str) -> Reply:
            async with sender(base_url, clock=clock) as wire:
                return await wire.post("/rvm", BODY, lease_ends=lease)

        with ScriptedServer(count) as server:
            reply = asyncio.run(ask(server.base_url()))
            assert server.closed[0].wait(WAIT_S)
        assert reply == NotWritten("the claim's lease was over")
        assert bytes_read == [b""]

    def test_who_is_cut_off_before_the_first_byte_knows_that_nothing_was_written(self) -> None:
        async def ask(base_url: str) -> None:
            async with sender(base_url) as wire:
                asking = asyncio.create_task(wire.post("/rvm", BODY, lease_ends=lease_ends()))
                await asyncio.sleep(0)
                asking.cancel()
                await asking

        with ScriptedServer(close_at_once) as server, pytest.raises(NothingWrittenError):
            asyncio.run(ask(server.base_url()))
        assert server.requests == []

    @pytest.mark.parametrize(
        "step", [say(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), close_without_a_word, reset]
    )
    def test_a_proxy_that_opens_no_tunnel_is_not_written(self, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
        with ScriptedServer(step) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.base_url().removesuffix("/v1"))
            assert isinstance(post("https://api.vendor.example/v1"), NotWritten)
        assert SECRET not in str(proxy.requests)


class TestWhatWasWrittenMayHaveBeenTaken:
    @pytest.mark.parametrize(
        "step",
        [
            close_without_a_word,
            reset_once_read,
            reset_unread,
            cut_off,
            say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + QUEUED[:9]),
            say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            say(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
            say(b"HTTP/1.1 429 Slow down\r\nContent-Length: 100\r\n\r\n{"),
            say(b"HTTP/1.1 100 Continue\r\n\r\n"),
            say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
            say(b"SSH-2.0-OpenSSH\r\n\r\n"),
            say(b"\x00\x01\x02"),
        ],
    )
    def test_a_break_after_the_first_byte_is_in_doubt(self, step: Step) -> None:
        with ScriptedServer(step) as server:
            assert isinstance(post(server.base_url()), Broken)

    def test_an_answer_that_does_not_come_in_time_is_in_doubt(self) -> None:
        with ScriptedServer(wait_until_the_client_leaves) as server:
            assert post(server.base_url(), timeout_s=3.0) == Broken("timed out after 3 s")

    def test_an_answer_that_stops_half_way_is_in_doubt(self) -> None:
        half = say(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
        with ScriptedServer(in_turn(half, wait_until_the_client_leaves)) as server:
            assert post(server.base_url(), timeout_s=3.0) == Broken("timed out after 3 s")

    def test_a_request_on_a_kept_connection_that_breaks_is_not_written_again(self) -> None:
        with ScriptedServer(in_turn(KEPT, close_without_a_word), KEPT) as server:
            assert isinstance(post(server.base_url(), times=2), Broken)
            assert len(server.requests) == 2

    def test_who_is_cut_off_after_the_first_byte_does_not_know(self) -> None:
        is_read = threading.Event()

        def read(conversation: Conversation) -> None:
            conversation.read_request()
            is_read.set()
            wait_until_the_client_leaves(conversation)

        async def ask(base_url: str) -> None:
            async with sender(base_url) as wire:
                asking = asyncio.create_task(wire.post("/rvm", BODY, lease_ends=lease_ends()))
                await asyncio.to_thread(is_read.wait, WAIT_S)
                asking.cancel()
                await asking

        with ScriptedServer(read) as server:
            with pytest.raises(asyncio.CancelledError) as cut_off:
                asyncio.run(ask(server.base_url()))
            assert not isinstance(cut_off.value, NothingWrittenError)


class IdleCloser:
    """Answers each request, keeps the connections, and closes them all when told to."""

    def __init__(self) -> None:
        self.requests = 0
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close_connections(self) -> None:
        peers, self._peers = self._peers, []
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(WAIT_S)
        self._listener.close()
        self.close_connections()
        for thread in self._threads:
            thread.join(WAIT_S)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self._peers.append(peer)
                self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
                self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        conversation = Conversation(peer, [])
        with contextlib.suppress(OSError), peer:
            while request := conversation.read_request():
                if not request.startswith(b"POST"):  # the check of a connection
                    peer.sendall(b"HTTP/1.1 404 Said\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    return
                self.requests += 1
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED)


@pytest.fixture
def idle_closer() -> Iterator[IdleCloser]:
    server = IdleCloser()
    yield server
    server.stop()


def test_connections_that_closed_while_the_loop_stood_still_leave_nothing_in_doubt(idle_closer: IdleCloser) -> None:
    async def ask() -> list[Reply]:
        clock = MovableClock()
        async with sender(idle_closer.base_url, connections=20, clock=clock) as wire:

            async def all_at_once() -> list[Reply]:
                lease = clock.deadline(HOUR)
                return await asyncio.gather(*(wire.post("/rvm", BODY, lease_ends=lease) for _ in range(20)))

            assert await all_at_once() == [Answer(200, QUEUED)] * 20
            idle_closer.close_connections()  # the loop does not turn meanwhile
            clock.suspend(timedelta(minutes=1))  # nor did it for a minute
            return await all_at_once()

    assert asyncio.run(ask()) == [Answer(200, QUEUED)] * 20
    assert idle_closer.requests == 40
