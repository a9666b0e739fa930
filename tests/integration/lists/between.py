"""A station between client and sandbox, which changes what passes: a vendor that does what the sandbox never does."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests

Body = dict[str, Any]


def _unchanged(_method: str, _path: str, content: Any) -> Any:
    return content


class Between:
    """Passes requests on to the sandbox; a context manager.

    :ivar base_url: for the client.
    :ivar asking: called with method, path and body before a request is passed on; what it returns is passed on.
    :ivar answering: called with method, path and JSON answer; what it returns is answered.
    """

    def __init__(self, base_url: str) -> None:
        self._vendor = base_url.removesuffix("/v1")
        self.asking: Callable[[str, str, Body], Body] = _unchanged
        self.answering: Callable[[str, str, Any], Any] = _unchanged
        station = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                station._pass(self)

            do_GET = do_POST  # noqa: N815  # the names that http.server looks for
            do_DELETE = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def pass_unchanged(self) -> None:
        """From now on it is as if it were not there."""
        self.asking = self.answering = _unchanged

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = urlsplit(handler.path).path
        body = self.asking(handler.command, path, json.loads(raw) if raw else {})
        headers = {name: handler.headers[name] for name in ("x-team-id", "x-secret")}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                handler.command,
                f"{self._vendor}{handler.path}",
                json=body if raw else None,
                headers=headers,
                timeout=30,
            )
        content = answer.content
        if content:
            content = json.dumps(self.answering(handler.command, path, answer.json())).encode()
        handler.send_response(answer.status_code)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(content)
