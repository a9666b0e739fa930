"""How many sends a second the sandbox carries, and for how much CPU: it must not be what a benchmark measures.

``python benchmarks/sandbox_rate.py [--sends N] [--connections N]`` prints one line. The client is raw sockets and
shares the machine.
"""

import argparse
import asyncio
import json
import resource
import time
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from tests.sandbox_process import SandboxProcess


class _Client(asyncio.Protocol):
    """One connection that writes the next send as soon as the last is answered."""

    def __init__(self, heads: str, fields: dict[str, object], *, numbers: "range", done: asyncio.Future[None]) -> None:
        self._heads = heads
        self._fields = fields
        self._numbers = iter(numbers)
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._write()

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(RuntimeError(data.decode()))
        elif data.endswith(b"}"):
            self._write()

    def _write(self) -> None:
        number = next(self._numbers, None)
        if number is None:
            self._transport.close()
            self._done.set_result(None)
            return
        contact = {"foreign_id": f"send-{number:048d}", "phone_number": f"+1504{number:07d}"}
        body = json.dumps({**self._fields, **contact})
        self._transport.write(f"{self._heads}Content-Length: {len(body)}\r\n\r\n{body}".encode())


async def _send_all(sandbox: SandboxProcess, *, sends: int, connections: int) -> float:
    address = urlsplit(sandbox.base_url)
    heads = (
        f"POST /v1/rvm HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
        f"x-team-id: {sandbox.team_id}\r\nx-secret: {sandbox.secret}\r\n"
    )
    fields: dict[str, object] = {
        "team_id": sandbox.team_id,
        "secret": sandbox.secret,
        "brand_id": BRAND_ID,
        "recording_id": RECORDING_ID,
    }
    assert address.hostname
    assert address.port
    loop = asyncio.get_running_loop()
    dones = [loop.create_future() for _ in range(connections)]
    begun_s = time.perf_counter()
    for first, done in enumerate(dones):
        client = _Client(heads, fields, numbers=range(first, sends, connections), done=done)
        await loop.create_connection(lambda client=client: client, address.hostname, address.port)  # type: ignore[misc]
    await asyncio.gather(*dones)
    return time.perf_counter() - begun_s


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sends", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=100)
    wanted = parser.parse_args()
    sandbox = SandboxProcess()
    with sandbox:
        took_s = asyncio.run(_send_all(sandbox, sends=wanted.sends, connections=wanted.connections))
        takes = sandbox.takes()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime
    print(
        f"{takes['takes']} sends in {took_s:.1f} s: {wanted.sends / took_s:.0f}/s; "
        f"server: {cpu_s / wanted.sends * 10_000:.2f} CPU s per 10,000 (with its start), "
        f"{used.ru_maxrss / 1024:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
