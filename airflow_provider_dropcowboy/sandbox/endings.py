"""How an answer, or the lack of one, looks on the connection."""

import asyncio
import math
import socket
import struct
import time
from dataclasses import replace
from email.utils import formatdate
from typing import Final, assert_never
from weakref import WeakKeyDictionary

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.faults import Ending, Fault
from airflow_provider_dropcowboy.sandbox.wire import Answer

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s: close sends RST instead of FIN


class Endings:
    """Ends requests, and closes connections that a fault has marked when they are idle."""

    def __init__(self) -> None:
        self._idle: WeakKeyDictionary[asyncio.Transport, asyncio.TimerHandle] = WeakKeyDictionary()

    def begin(self, request: web.Request) -> None:
        """A request came: its connection is not idle."""
        if self._idle and request.transport is not None:
            timer = self._idle.pop(request.transport, None)
            if timer is not None:
                timer.cancel()

    async def end(self, request: web.Request, fault: Fault, *, answer: Answer) -> web.StreamResponse:
        """The end that the fault wants.

        :param answer: of the route; for a fault before the taking, the fault's own.
        """
        ending = fault.kind.ending
        match ending:
            case Ending.ANSWER:
                return response(fault.kind.answer)
            case Ending.RETRY_SECONDS:
                return response(_with_retry_after(fault, str(math.ceil(fault.wait_s))))
            case Ending.RETRY_DATE:
                # the next whole second: an HTTP date has no fractions, and an earlier one would ask for no wait
                return response(
                    _with_retry_after(fault, formatdate(math.ceil(time.time() + fault.wait_s), usegmt=True))
                )
            case Ending.CLOSE:
                _close(request, with_reset=False)
                return web.Response()
            case Ending.RESET:
                _close(request, with_reset=True)
                return web.Response()
            case Ending.TRUNCATE:
                return await _truncate(request)
            case Ending.HANG:
                # cancelled when the client leaves (handler_cancellation)
                await asyncio.Event().wait()
                return web.Response()
            case Ending.LATE:
                await asyncio.sleep(fault.wait_s)
                return response(answer)
            case Ending.CLOSE_IDLE:
                return await self._close_when_idle(request, answer, after_s=fault.wait_s)
            case _:
                assert_never(ending)

    async def _close_when_idle(self, request: web.Request, answer: Answer, *, after_s: float) -> web.StreamResponse:
        written = response(answer)
        # written here, so that the idle time begins when the answer is out
        await written.prepare(request)
        await written.write_eof()
        transport = request.transport
        if transport is not None:
            self._idle[transport] = asyncio.get_running_loop().call_later(after_s, transport.close)
        return written


def response(answer: Answer) -> web.Response:
    """An answer as aiohttp writes it."""
    headers = {"Content-Type": answer.content_type, **answer.headers} if answer.body else dict(answer.headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _with_retry_after(fault: Fault, value: str) -> Answer:
    answer = fault.kind.answer
    return replace(answer, headers={**answer.headers, "Retry-After": value})


def _close(request: web.Request, *, with_reset: bool) -> None:
    """End the connection before a byte of an answer; what aiohttp then tries to write goes nowhere."""
    transport = request.transport
    if transport is None:
        return
    if with_reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()


async def _truncate(request: web.Request) -> web.StreamResponse:
    cut = web.StreamResponse(headers={"Content-Type": "application/json"})
    cut.enable_chunked_encoding()
    await cut.prepare(request)
    await cut.write(b'{"status": "que')
    if request.transport is not None:
        request.transport.close()
    return cut
