"""A server on 127.0.0.1 that does to each connection what it was told to, however rude."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

ACCEPT_TIMEOUT_S = 60.0

Step = Callable[["Conversation"], None]


class Conversation:
    """One accepted connection, and what was read of it."""

    def __init__(self, peer: socket.socket, requests: list[bytes]) -> None:
        self.peer = peer
        self.requests = requests

    def read_request(self) -> bytes:
        """One whole request: its head and its body. Empty: the client left."""
        read = b""
        while b"\r\n\r\n" not in read:
            part = self.peer.recv(65536)
            if not part:
                return b""
            read += part
        head, _, body = read.partition(b"\r\n\r\n")
        lengths = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        ]
        while len(body) < sum(lengths):
            body += self.peer.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]


class ScriptedServer:
    """A context manager: each connection takes the next step, and is closed after it.

    :ivar requests: what was read in full, in order.
    """

    def __init__(self, *steps: Step, is_listening: bool = True) -> None:
        self.requests: list[bytes] = []
        self.closed = [threading.Event() for _ in steps]
        self._steps = steps
        self._listener = socket.socket()
        self._listener.settimeout(ACCEPT_TIMEOUT_S)
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        if is_listening:
            self.listen()

    def listen(self) -> None:
        """Connections are accepted from here on; before, they are refused."""
        self._listener.listen()
        self._thread.start()

    def base_url(self, scheme: str = "http") -> str:
        """Of an API that would be here."""
        return f"{scheme}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for a connection nobody makes
        if self._thread.ident:
            self._thread.join(ACCEPT_TIMEOUT_S)
        self._listener.close()

    def _serve(self) -> None:
        for step, closed in zip(self._steps, self.closed, strict=True):
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            conversation = Conversation(peer, self.requests)
            with contextlib.suppress(OSError):
                step(conversation)
            conversation.peer.close()
            closed.set()


def answer(status: int = 200, body: bytes = b"[]", *, keep_alive: bool = False, **headers: str) -> Step:
    """Read a request and answer it; names of headers with underscores."""
    if not keep_alive:
        headers["Connection"] = "close"

    def step(conversation: Conversation) -> None:
        if conversation.read_request():
            conversation.peer.sendall(_head(status, {**headers, "Content-Length": str(len(body))}) + body)

    return step


def echo(status: int) -> Step:
    """Answer with the request itself, as some error pages do."""

    def step(conversation: Conversation) -> None:
        body = conversation.read_request()
        conversation.peer.sendall(_head(status, {"Content-Length": str(len(body))}) + body)

    return step


def cut_off(conversation: Conversation) -> None:
    """Read a request and close in the middle of the answer."""
    conversation.read_request()
    conversation.peer.sendall(_head(200, {"Content-Length": "100"}) + b'{"list_id"')


def close_without_a_word(conversation: Conversation) -> None:
    """Read a request and close."""
    conversation.read_request()


def close_at_once(conversation: Conversation) -> None:
    """Close before anything was said."""


def reset(conversation: Conversation) -> None:
    """Reset the connection after a first byte came: before, a client may not even have it."""
    conversation.peer.recv(1)
    conversation.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def speak_another_protocol(conversation: Conversation) -> None:
    """Answer the first words with those of a mail server."""
    conversation.peer.recv(65536)
    conversation.peer.sendall(b"220 mail.example ready\r\n\r\n")


def wait_until_the_client_leaves(conversation: Conversation) -> None:
    """Read whatever comes, and answer nothing."""
    while conversation.peer.recv(65536):
        pass


def tls(context: ssl.SSLContext) -> Step:
    """Do the server's part of the handshake."""

    def step(conversation: Conversation) -> None:
        conversation.peer = context.wrap_socket(conversation.peer, server_side=True)

    return step


def in_turn(*steps: Step) -> Step:
    """All of these on one connection."""

    def step(conversation: Conversation) -> None:
        for each in steps:
            each(conversation)

    return step


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
