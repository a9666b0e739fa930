"""Many sends over real sockets: what was written, what came back, and what nobody must see."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.bulk import MAX_ANSWER_BYTES, BulkSender, NothingWrittenError
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    Step,
    answer,
    close_at_once,
    close_without_a_word,
    cut_off,
    in_turn,
    reset,
    tls,
    wait_until_the_client_leaves,
)

SECRET = "s3cret/of-the-team"
PHONE = "+15045550100"
BODY = {"team_id": "team", "secret": SECRET, "phone_number": PHONE, "foreign_id": "f1"}
QUEUED = b'{"status": "queued"}'
KEPT = answer(200, QUEUED, keep_alive=True)
WAIT_S = 20.0

Asking = Callable[[BulkSender], Awaitable[Reply]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that nobody but its owner trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + made.public_bytes(pem)
    )
    return path


@pytest.fixture
def tls_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def sender(base_url: str, *, timeout_s: float = WAIT_S, verify: bool | str = True, connections: int = 1) -> BulkSender:
    account = Account("team", Secret(SECRET), base_url)
    return BulkSender(account, connections=connections, timeout_s=timeout_s, verify=verify)


def lease_ends() -> float:
    return time.monotonic() + 60


def post(base_url: str, *, timeout_s: float = WAIT_S, verify: bool | str = True, times: int = 1) -> Reply:
    """The last reply of so many requests, one after the other."""

    async def ask() -> Reply:
        async with sender(base_url, timeout_s=timeout_s, verify=verify) as wire:
            for _ in range(times):
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
            return reply

    reply = asyncio.run(ask())
    assert SECRET not in repr(reply)
    assert PHONE not in repr(reply)
    return reply


def reset_once_read(conversation: Conversation) -> None:
    """Read a request and reset the connection."""
    conversation.read_request()
    conversation.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_unread(conversation: Conversation) -> None:
    """Reset the connection once bytes have come, without reading one."""
    conversation.peer.recv(1, socket.MSG_PEEK)
    conversation.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(text: bytes) -> Step:
    """Read a request, write this, and close."""

    def step(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.peer.sendall(text)

    return step


class TestWhatWasNotWrittenWasNotTaken:
    def test_a_refused_connection_is_not_written(self) -> None:
        with ScriptedServer(is_listening=False) as server:
            assert isinstance(post(server.base_url()), NotWritten)

    def test_a_name_that_does_not_resolve_is_not_written(self) -> None:
        assert post("http://nowhere.invalid/v1") == NotWritten("the host's name was not found")

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
            assert post(url, timeout_s=0.2) == NotWritten("time-out")

    def test_a_certificate_that_is_not_trusted_is_not_written(self, tls_context: ssl.SSLContext) -> None:
        with ScriptedServer(tls(tls_context)) as server:
            assert post(server.base_url("https")) == NotWritten("TLS failed")
        assert server.requests == []

    @pytest.mark.parametrize("step", [close_at_once, reset, reset_unread])
    def test_a_failed_handshake_is_not_written(self, step: Step) -> None:
        with ScriptedServer(step) as server:
            assert isinstance(post(server.base_url("https")), NotWritten)

    def test_after_the_lease_not_one_byte_is_written(self) -> None:
        bytes_read: list[bytes] = []

        def count(conversation: Conversation) -> None:
            bytes_read.append(conversation.peer.recv(65536))

        async def ask(base_url: str) -> Reply:
            async with sender(base_url) as wire:
                return await wire.post("/rvm", BODY, lease_ends=time.monotonic())

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
            assert post(server.base_url(), timeout_s=0.2) == Broken("time-out")

    def test_an_answer_that_stops_half_way_is_in_doubt(self) -> None:
        half = say(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
        with ScriptedServer(in_turn(half, wait_until_the_client_leaves)) as server:
            assert post(server.base_url(), timeout_s=0.2) == Broken("time-out")

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
        assert isinstance(reply, Answer)
        assert MAX_ANSWER_BYTES <= len(reply.body) <= 2 * MAX_ANSWER_BYTES

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
            while conversation.read_request():
                self.requests += 1
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED)


@pytest.fixture
def idle_closer() -> Iterator[IdleCloser]:
    server = IdleCloser()
    yield server
    server.stop()


def test_connections_that_closed_while_the_loop_stood_still_leave_nothing_in_doubt(idle_closer: IdleCloser) -> None:
    async def ask() -> list[Reply]:
        async with sender(idle_closer.base_url, connections=20) as wire:

            async def all_at_once() -> list[Reply]:
                return await asyncio.gather(*(wire.post("/rvm", BODY, lease_ends=lease_ends()) for _ in range(20)))

            assert await all_at_once() == [Answer(200, QUEUED)] * 20
            idle_closer.close_connections()  # the loop does not turn meanwhile
            wire._ticked_at -= 60  # nor did it for a minute
            return await all_at_once()

    assert asyncio.run(ask()) == [Answer(200, QUEUED)] * 20
    assert idle_closer.requests == 40
