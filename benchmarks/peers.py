"""What else could send: ``python -m benchmarks.peers aiohttp --rows 20000 --url …`` and the like, one a process."""

import argparse
import asyncio
import json
import resource
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import requests

TEXT = "Hello Ann, this is a reminder of your appointment. " + "Please call us back if it does not suit you. " * 4


def body(row: int) -> bytes:
    """A request like the package's own."""
    fields = {
        "team_id": "bench-team",
        "secret": "bench-secret",
        "foreign_id": f"{row:048d}",
        "phone_number": f"+1212{2_000_000 + row}",
        "brand_id": "b" * 36,
        "voice_id": "v" * 36,
        "tts_body": TEXT,
        "callback_url": f"http://127.0.0.1:9/callbacks/{row:048d}.1.00000000.{row:032d}",
    }
    return json.dumps(fields).encode()


async def send_by_aiohttp(url: str, rows: int, connections: int) -> None:
    """aiohttp and nothing else."""
    numbers = iter(range(rows))

    async def work(session: aiohttp.ClientSession) -> None:
        for row in numbers:
            async with session.post(f"{url}/rvm", data=body(row), allow_redirects=False) as answer:
                await answer.read()

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        headers={"Content-Type": "application/json"},
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        await asyncio.gather(*(work(session) for _ in range(connections)))


class Load(asyncio.Protocol):
    """The least a client can do: bytes out, bytes in, no HTTP."""

    def __init__(self, request: bytes, numbers: Iterator[int], done: asyncio.Future[None]) -> None:
        self._request, self._numbers, self._done = request, numbers, done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"HTTP/1.1 200")):
            self._next()

    def _next(self) -> None:
        if next(self._numbers, None) is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
        else:
            self._transport.write(self._request)


async def send_bare(url: str, rows: int, connections: int) -> None:
    """The load generator that stands for the bound."""
    host = urlsplit(url)
    assert host.hostname
    assert host.port
    content = body(0)
    head = f"POST {host.path}/rvm HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    loop, numbers = asyncio.get_running_loop(), iter(range(rows))
    done = [loop.create_future() for _ in range(connections)]
    for future in done:
        await loop.create_connection(partial(Load, head + content, numbers, future), host.hostname, host.port)
    await asyncio.gather(*done)


def send_by_threads(url: str, rows: int, connections: int) -> None:
    """The fair rival: a session a thread, in one task, without a ledger."""
    numbers, lock = iter(range(rows)), threading.Lock()

    def work() -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    row = next(numbers, None)
                if row is None:
                    return
                session.post(f"{url}/rvm", data=body(row), headers={"Content-Type": "application/json"}, timeout=30)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def send_by_loop(url: str, rows: int, _connections: int) -> None:
    """What most people write first: ``requests.post`` in a loop."""
    for row in range(rows):
        requests.post(f"{url}/rvm", data=body(row), headers={"Content-Type": "application/json"}, timeout=30)


def main() -> None:
    """Run one of them and print what it took, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["aiohttp", "bare", "threads", "loop"])
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--connections", type=int, default=99)
    options = parser.parse_args()
    before, begun_at = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    match options.peer:
        case "aiohttp":
            asyncio.run(send_by_aiohttp(options.url, options.rows, options.connections))
        case "bare":
            asyncio.run(send_bare(options.url, options.rows, options.connections))
        case "threads":
            send_by_threads(options.url, options.rows, options.connections)
        case _:
            send_by_loop(options.url, options.rows, options.connections)
    seconds = time.perf_counter() - begun_at
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rates = {"rate_per_s": options.rows / seconds, "cpu_s_per_10k": cpu_s / options.rows * 10_000, "seconds": seconds}
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
