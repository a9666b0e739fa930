"""Many sends over real sockets: what was written, and what may have been taken."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply, Request
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport import kept
from airflow_provider_dropcowboy.transport.bulk import BulkSender, NothingWrittenError
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
    answer,
    close_at_once,
    close_without_a_word,
    cut_off,
    echo,
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
            assert post(server.base_url(), timeout_s=0.2) == Broken("timed out after 0.2 s")

    def test_an_answer_that_stops_half_way_is_in_doubt(self) -> None:
        half = say(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
        with ScriptedServer(in_turn(half, wait_until_the_client_leaves)) as server:
            assert post(server.base_url(), timeout_s=0.2) == Broken("timed out after 0.2 s")

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
                self.requests += request.startswith(b"POST")  # what is sent, not the check of a connection
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


STRAY = b"HTTP/1.1 429 Said\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Said\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED


def keep_and_say(text: bytes, *, after: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED) -> Step:
    """Answer a request, say more, and wait until the client leaves."""

    def step(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.peer.sendall(after + text)
        wait_until_the_client_leaves(conversation)

    return step


class TestAnAnswerThatNobodyAskedFor:
    @pytest.mark.parametrize("stray", [STRAY, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED])
    def test_the_next_request_goes_over_another_connection(self, stray: bytes) -> None:
        with ScriptedServer(keep_and_say(stray), KEPT) as server:

            async def ask() -> Reply:
                async with sender(server.base_url()) as wire:
                    await wire.post("/rvm", BODY, lease_ends=lease_ends())
                    await wire.settle()
                    return await wire.post("/rvm", BODY, lease_ends=lease_ends())

            assert asyncio.run(ask()) == Answer(200, QUEUED)
            assert len(server.requests) == 2

    @pytest.mark.parametrize("first", [STRAY, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"])
    def test_an_answer_that_would_free_the_message_is_in_doubt_if_another_follows(self, first: bytes) -> None:
        accepted = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED
        with ScriptedServer(keep_and_say(accepted, after=first)) as server:
            assert isinstance(post(server.base_url()), Broken)

    def test_an_answer_that_would_free_the_message_is_in_doubt_if_the_connection_breaks_after_it(self) -> None:
        with ScriptedServer(say(STRAY)) as server:  # it said that it would keep the connection
            assert isinstance(post(server.base_url()), Broken)

    @pytest.mark.parametrize(
        "own",
        [wait_until_the_client_leaves, say(ACCEPTED), say(ACCEPTED + NOT_FOUND)],
        ids=["never comes", "comes late, and ends the connection", "comes late"],
    )
    def test_an_answer_that_would_free_the_message_is_in_doubt_if_its_own_comes_late_or_never(self, own: Step) -> None:
        """The stray answer is written just as the request arrives; the request is carried out."""
        with ScriptedServer(in_turn(KEPT, say(STRAY), own)) as server:
            assert isinstance(post(server.base_url(), times=2, timeout_s=1.0), Broken)

    @pytest.mark.parametrize("status", [400, 401, 404, 429])
    @pytest.mark.parametrize("check", [answer(404, b"Cannot GET it"), answer(403, b"{}"), answer(429), echo(200)])
    def test_an_answer_counts_once_a_request_after_it_was_answered_on_the_same_connection(
        self, status: int, check: Step
    ) -> None:
        steps = in_turn(KEPT, answer(status, b"{}", keep_alive=True), check)
        with ScriptedServer(steps) as server:
            assert post(server.base_url(), times=2) == Answer(status, b"{}")
        assert server.requests[2].startswith(b"GET /v1/no-such-path-")
        assert SECRET.encode() not in server.requests[2]
        assert b"team" not in server.requests[2]

    @pytest.mark.parametrize("check", [answer(200, QUEUED), answer(502), say(b""), cut_off])
    def test_it_is_in_doubt_if_that_answer_may_be_its_own_acceptance(self, check: Step) -> None:
        steps = in_turn(KEPT, answer(429, b"{}", keep_alive=True), check)
        with ScriptedServer(steps) as server:
            assert isinstance(post(server.base_url(), times=2), Broken)

    @pytest.mark.parametrize("head", ["HTTP/1.1 429 Said\r\nConnection: close", "HTTP/1.0 429 Said"])
    def test_it_counts_if_the_server_had_said_that_it_would_close(self, head: str) -> None:
        with ScriptedServer(say(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
            assert post(server.base_url()) == Answer(429)

    @pytest.mark.parametrize(
        ("first", "second"),
        [(STRAY, STRAY), (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ACCEPTED)],
        ids=["429 twice", "500, then an acceptance"],
    )
    def test_acceptances_before_it_are_reported_as_doubtful(self, first: bytes, second: bytes) -> None:
        doubtful: list[object] = []

        async def ask(base_url: str) -> Reply:
            account = Account("team", Secret(SECRET), base_url)
            async with BulkSender(
                account, connections=1, timeout_s=WAIT_S, verify=True, on_doubt=doubtful.append
            ) as wire:
                for key in ("a", "b", "c"):
                    await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key=key)
                    await wire.settle()
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
                await wire.settle()
                return reply

        with ScriptedServer(in_turn(KEPT, KEPT, KEPT, keep_and_say(second, after=first))) as server:
            asyncio.run(ask(server.base_url()))
        assert doubtful == ["c"]  # it may have got the acceptance of another, and the first answer may be its own

    @pytest.mark.parametrize(
        ("rest", "is_withdrawn"),
        [
            (answer(404), False),  # the check's answer: the acceptance was the message's own
            (say(ACCEPTED + NOT_FOUND), False),  # either is
            (say(b""), True),
            (say(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" + NOT_FOUND), True),
            (wait_until_the_client_leaves, True),
        ],
        ids=["it is its own", "accepted twice", "dropped", "an error", "silence"],
    )
    def test_an_acceptance_that_comes_too_fast_is_withdrawn_unless_it_is_the_messages_own(
        self, rest: Step, is_withdrawn: bool
    ) -> None:
        """The stray acceptance is written as the request arrives; the others took a while."""
        found: list[object] = []

        def slowly(conversation: Conversation) -> None:
            conversation.peer.recv(1, socket.MSG_PEEK)
            threading.Event().wait(0.1)
            KEPT(conversation)

        async def ask(base_url: str) -> None:
            account = Account("team", Secret(SECRET), base_url)
            async with BulkSender(account, connections=1, timeout_s=3.0, verify=True, on_doubt=found.append) as wire:
                for key in range(kept.ENOUGH_ANSWERS + 1):
                    await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key=key)
                    await wire.settle()

        with ScriptedServer(in_turn(*[slowly] * kept.ENOUGH_ANSWERS, KEPT, rest)) as server:
            asyncio.run(ask(server.base_url()))
        assert found == [kept.ENOUGH_ANSWERS] * is_withdrawn

    def test_a_server_that_waited_in_vain_and_says_so_leaves_nothing_in_doubt(self) -> None:
        """A 408 to nothing, then the end (RFC 9110, 15.5.9)."""
        doubtful: list[object] = []

        async def ask(server: ScriptedServer) -> Reply:
            account = Account("team", Secret(SECRET), server.base_url())
            async with BulkSender(
                account, connections=1, timeout_s=WAIT_S, verify=True, on_doubt=doubtful.append
            ) as wire:
                await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key="a")
                await asyncio.to_thread(server.closed[0].wait, WAIT_S)
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
                await wire.settle()
                return reply

        gone = b"HTTP/1.1 408 Late\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        answer_and_go = say(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED + gone)
        with ScriptedServer(answer_and_go, KEPT) as server:
            assert asyncio.run(ask(server)) == Answer(200, QUEUED)
        assert doubtful == []

    def test_an_answer_that_comes_before_the_request_was_written_whole_does_not_count(self) -> None:
        is_over = threading.Event()

        def answer_half_way(conversation: Conversation) -> None:
            conversation.peer.recv(1)
            conversation.peer.sendall(STRAY)
            is_over.wait(WAIT_S)

        async def ask(base_url: str) -> Reply:
            async with sender(base_url) as wire:
                long = {**BODY, "tts_body": "x" * 20_000_000}  # more than the system takes at once
                return await wire.post("/rvm", long, lease_ends=lease_ends())

        with ScriptedServer(answer_half_way) as server:
            assert asyncio.run(ask(server.base_url())) == Broken("an answer came before the request was written")
            is_over.set()
