"""ClickHouse's HTTP interface over chdb, its engine in a wheel. A program: port and folder are its arguments.

The driver asks it as a server, which answers rows in pieces. What only a server has (users, compression) is not here.
"""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

SETTINGS = {"max_block_size", "max_threads"}
"""Which a client may set."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    session: Session
    lock = Lock()

    def do_POST(self) -> None:
        options = dict(parse_qsl(urlsplit(self.path).query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = options.get("query", "")
        statement = f"{query}\n".encode() + body if query else body
        self._answer(statement, options)

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)).get("query", "").encode(), {})

    def _answer(self, statement: bytes, options: dict[str, str]) -> None:
        if not statement.strip():
            return self._send(200, b"Ok.\n")
        parameters = {name[6:]: value for name, value in options.items() if name.startswith("param_")}
        try:
            with self.lock:  # a session runs one query at a time
                self.session.query(f"USE `{options.get('database') or 'default'}`")
                for name in options.keys() & SETTINGS:
                    self.session.query(f"SET {name} = {int(options[name])}")
                if statement.rstrip().endswith(b"FORMAT Native"):
                    with self.session.send_query(statement.decode(), "TabSeparated", params=parameters) as blocks:
                        return self._stream(block.bytes() for block in blocks)
                answer = self.session.query(statement.decode(), "TabSeparated", params=parameters).bytes()
        except RuntimeError as error:
            return self._send(404, str(error).encode(), {"X-ClickHouse-Exception-Code": "1"})
        return self._send(200, answer)

    def _stream(self, blocks: Iterator[bytes]) -> None:
        """Answer piece by piece, for as long as the client reads."""
        first = next(blocks, b"")  # a wrong query fails here, before the status is sent
        self.send_response(200)
        self.send_header("X-ClickHouse-Format", "Native")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for block in filter(None, chain([first], blocks)):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client left
            self.close_connection = True

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: a query may hold a person's values."""


if __name__ == "__main__":
    _Handler.session = Session(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
