"""A transaction pooler in front of PostgreSQL: each transaction of a client gets another connection to the server."""

import queue
import select
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

SSL_OR_GSS: Final = (80877103, 80877104)
"""Codes of a client that asks for encryption (PostgreSQL's protocol, 54.7)."""


class TransactionPooler:
    """Listens on ``port``; what PgBouncer does with ``pool_mode=transaction``, for a server that trusts everybody.

    :param database: of the server; every client gets this one.
    :ivar most_sessions: connections to the server that one client was given, the largest number.
    """

    def __init__(self, server_port: int, database: str, *, connections: int = 4) -> None:
        self.most_sessions = 0
        self._free: queue.Queue[socket.socket] = queue.Queue()
        for _ in range(connections):
            server, self._greeting = _log_in(server_port, database)
            self._free.put(server)
        self._servers = list(self._free.queue)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._servers):
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        given: set[int] = set()
        with client, suppress(ConnectionError):
            while struct.unpack("!I", _startup(client)[:4])[0] in SSL_OR_GSS:
                client.sendall(b"N")
            client.sendall(self._greeting)
            while (asked := client.recv(65536)) and not asked.startswith(b"X"):
                server = self._free.get()
                given.add(id(server))
                self.most_sessions = max(self.most_sessions, len(given))
                server.sendall(asked)
                _relay(client, server)
                self._free.put(server)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """To the end of the transaction."""
    unread = bytearray()
    while True:
        for each in select.select([client, server], [], [])[0]:
            said = each.recv(65536)
            if not said:
                raise ConnectionError
            (server if each is client else client).sendall(said)
            if each is server:
                unread += said
                if _is_idle(unread):
                    return


def _is_idle(unread: bytearray) -> bool:
    """Takes whole messages away; whether the last one is ReadyForQuery outside a transaction."""
    last = b""
    while len(unread) >= 5 and len(unread) > (length := struct.unpack_from("!I", unread, 1)[0]):
        last = bytes(unread[: length + 1])
        del unread[: length + 1]
    return last.startswith(b"Z") and last.endswith(b"I") and not unread


def _log_in(port: int, database: str) -> tuple[socket.socket, bytes]:
    """A connection to the server, and what the server says to one who has come in."""
    server = socket.create_connection(("127.0.0.1", port))
    words = b"\0".join([b"user", b"postgres", b"database", database.encode(), b"", b""])
    server.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
    greeting = bytearray()
    while not _is_idle(bytearray(greeting)):
        greeting += server.recv(65536)
    return server, bytes(greeting)


def _startup(client: socket.socket) -> bytes:
    """The body of a message that has no type: its code and what follows."""
    (length,) = struct.unpack("!I", _exactly(client, 4))
    return _exactly(client, length - 4)


def _exactly(client: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = client.recv(size - len(read))
        if not part:
            raise ConnectionError
        read += part
    return read
