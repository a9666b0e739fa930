"""The body of a request, bounded in size and in time."""

import asyncio
from typing import Final

from starlette.requests import Request

from airflow_provider_dropcowboy.receiver.metrics import Refusal

MAX_BYTES: Final = 64 * 1024  # a callback has some 500; the vendor may add fields
TIMEOUT_S: Final = 10.0  # API v1, delivery callback: the vendor itself gives up after 10 s


async def read_body(request: Request) -> bytes | Refusal | None:
    """The whole body, or why it is not read; None: who sent it is gone.

    At most ``MAX_BYTES`` and one more read of the server's are held.
    """
    if (length := request.headers.get("content-length", "")).isdecimal() and len(length) < 10:
        if int(length) > MAX_BYTES:
            return Refusal.TOO_LARGE
    elif length:
        return Refusal.TOO_LARGE
    read = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    return None
                read += message.get("body", b"")
                if len(read) > MAX_BYTES:
                    return Refusal.TOO_LARGE
                if not message.get("more_body", False):
                    return bytes(read)
    except TimeoutError:
        return Refusal.TOO_SLOW
