"""A vendor that answers every send alike, after a fixed latency: what is measured is the client.

Any other request, such as the check of a connection, names a path that does not exist; its connection ends.

``python -m benchmarks.server --latency-ms 50`` prints its port, and its totals as JSON when it is told to end.
"""

import argparse
import asyncio
import json
import signal
import ssl
from typing import Final, cast

try:
    from uvloop import run
except ImportError:
    from asyncio import run

_BODY: Final = b'{"status": "queued"}'
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s"
    % (len(_BODY), _BODY)
)


class Totals:
    """What the server saw."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.in_flight = 0
        self.max_in_flight = 0


class Vendor(asyncio.Protocol):
    """One connection: counts whole requests by their Content-Length, and answers each."""

    def __init__(self, totals: Totals, latency_s: float) -> None:
        self._totals = totals
        self._latency_s = latency_s
        self._read = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._totals.connections += 1

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]) if b"content-length:" in head else 0
            if len(self._read) < end + 4 + length:
                return
            del self._read[: end + 4 + length]
            if not head.startswith(b"post "):
                asyncio.get_running_loop().call_later(self._latency_s, self._refuse, head.split(b" ", 2)[1])
                continue
            totals = self._totals
            totals.requests += 1
            totals.in_flight += 1
            totals.max_in_flight = max(totals.max_in_flight, totals.in_flight)
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._answer)
            else:
                self._answer()

    def _refuse(self, path: bytes) -> None:
        head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        self._transport.write(head % (len(path), path))
        self._transport.close()

    def _answer(self) -> None:
        self._totals.in_flight -= 1
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


async def serve(latency_s: float, certificate: str | None) -> None:
    """Until SIGTERM.

    :param certificate: a PEM file with its key; None: no TLS.
    """
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    totals, loop, ended = Totals(), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Vendor(totals, latency_s), "127.0.0.1", 0, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    print(json.dumps(vars(totals)), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--certificate")
    options = parser.parse_args()
    run(serve(options.latency_ms / 1000, options.certificate))
