"""Requests to a sandbox as a client writes them."""

import json
import queue
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from tests.sandbox_process import SandboxProcess


def rvm(sandbox: SandboxProcess, **changes: object) -> dict[str, object]:
    """A good voicemail's body, with some fields changed."""
    return {
        "team_id": sandbox.team_id,
        "secret": sandbox.secret,
        "foreign_id": "one",
        "brand_id": BRAND_ID,
        "recording_id": RECORDING_ID,
        "phone_number": "+15045550100",
        **changes,
    }


def call(
    sandbox: SandboxProcess, method: str, path: str, *, body: object = None, follow: bool = False
) -> requests.Response:
    """The answer of a route to a client with the right headers."""
    headers = {"x-team-id": sandbox.team_id, "x-secret": sandbox.secret}
    return requests.request(
        method, f"{sandbox.base_url}{path}", json=body, headers=headers, timeout=60, allow_redirects=follow
    )


def connect(sandbox: SandboxProcess, body: dict[str, object]) -> socket.socket:
    """A connection on which a voicemail was asked for; nothing is read yet."""
    address = urlsplit(sandbox.base_url)
    assert address.hostname
    assert address.port
    raw = json.dumps(body).encode()
    connection = socket.create_connection((address.hostname, address.port), timeout=60)
    connection.sendall(
        f"POST /v1/rvm HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"x-team-id: {sandbox.team_id}\r\nx-secret: {sandbox.secret}\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
        + raw
    )
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """All bytes until the sandbox closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


class Receiver(ThreadingHTTPServer):
    """Somebody's callback URL."""

    def __init__(self, *, status: int) -> None:
        self.status = status
        self.requests: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.bodies: queue.Queue[dict[str, object]] = queue.Queue()
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/callback"


class _ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.put((dict(self.headers), raw))
        self.server.bodies.put(json.loads(raw))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""
