"""Callbacks in a closed loop over some connections: ``python -m benchmarks.receiver_load URLS_FILE --port P``.

Each line of the file is a path and a body, parted by a tab. Prints the rate and the 99th percentile as JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

try:
    from uvloop import run
except ImportError:
    from asyncio import run


class Vendor(asyncio.Protocol):
    """One connection that posts the next callback as soon as the last is answered."""

    def __init__(self, requests: Iterator[bytes], took_s: list[float], done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._took_s = took_s
        self._done = done
        self._begun_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._post()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(RuntimeError(data.decode()))
            return
        self._took_s.append(time.perf_counter() - self._begun_at)
        self._post()

    def _post(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self._done.set_result(None)
            return
        self._begun_at = time.perf_counter()
        self._transport.write(request)


async def post_all(requests: Iterator[bytes], *, port: int, connections: int) -> dict[str, float]:
    """All of them, and what came of it."""
    loop = asyncio.get_running_loop()
    took_s: list[float] = []
    dones = [loop.create_future() for _ in range(connections)]
    begun_at = time.perf_counter()
    for done in dones:
        await loop.create_connection(partial(Vendor, requests, took_s, done), "127.0.0.1", port)
    await asyncio.gather(*dones)
    seconds = time.perf_counter() - begun_at
    took_s.sort()
    return {"rate_per_s": len(took_s) / seconds, "p99_ms": took_s[int(len(took_s) * 0.99)] * 1000}


def read(path: Path) -> Iterator[bytes]:
    """The requests of a file."""
    for line in path.read_text().splitlines():
        target, body = line.split("\t")
        head = f"POST {target} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    ready = iter(list(read(asked.requests)))
    print(json.dumps(run(post_all(ready, port=asked.port, connections=asked.connections))))
