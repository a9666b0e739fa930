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
from airflow_provider_dropcowboy.sandbox.protocol import Answer

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s: close sends RST instead of FIN


class Endings:
    """Ends requests, and keeps what a fault wants of a connection after its answer."""

    def __init__(self) -> None:
        self._unasked: WeakKeyDictionary[asyncio.Transport, Answer] = WeakKeyDictionary()
        self._idle: WeakKeyDictionary[asyncio.Transport, asyncio.TimerHandle] = WeakKeyDictionary()

    def begin(self, request: web.Request) -> None:
        """A request came: its connection is not idle."""
        if self._idle and request.transport is not None:
            timer = self._idle.pop(request.transport, None)
            if timer is not None:
                timer.cancel()
        if self._unasked and request.transport is not None:
            unasked = self._unasked.pop(request.transport, None)
            if unasked is not None:
                _write_unasked(request.transport, unasked)

    async def end(self, request: web.Request, fault: Fault, *, answer: Answer, own: Answer) -> web.StreamResponse:
        """The end that the fault wants.

        :param answer: of the route; for a fault before the taking, the fault's own.
        :param own: the fault's answer, as the route's version of the API words it.
        """
        ending = fault.kind.ending
        match ending:
            case Ending.ANSWER:
                return response(own)
            case Ending.RETRY_SECONDS:
                return response(_with_retry_after(own, str(math.ceil(fault.wait_s))))
            case Ending.RETRY_DATE:
                # the next whole second: an HTTP date has no fractions, and an earlier one would ask for no wait
                return response(_with_retry_after(own, formatdate(math.ceil(time.time() + fault.wait_s), usegmt=True)))
            case Ending.CLOSE:
                _close(request, with_reset=False)
                return web.Response()
            case Ending.RESET:
                _close(request, with_reset=True)
                return web.Response()
            case Ending.TRUNCATE:
                return await _truncate(request, status=202 if answer.status == 202 else 200)
            case Ending.HANG:
                # cancelled when the client leaves (handler_cancellation)
                await asyncio.Event().wait()
                return web.Response()
            case Ending.LATE:
                await asyncio.sleep(fault.wait_s)
                return response(answer)
            case Ending.UNASKED | Ending.UNASKED_NEXT | Ending.CLOSE_IDLE:
                return await self._answer_and_more(request, fault, answer, own)
            case _:
                assert_never(ending)

    async def _answer_and_more(
        self, request: web.Request, fault: Fault, answer: Answer, own: Answer
    ) -> web.StreamResponse:
        written = response(answer)
        # written here, so that what follows counts from when the answer is out
        await written.prepare(request)
        await written.write_eof()
        transport, loop = request.transport, asyncio.get_running_loop()
        if transport is None:
            pass
        elif fault.kind.ending is Ending.CLOSE_IDLE:
            self._idle[transport] = loop.call_later(fault.wait_s, transport.close)
        elif fault.kind.ending is Ending.UNASKED_NEXT:
            self._unasked[transport] = own
        elif own.headers.get("Connection") == "close":
            self._idle[transport] = loop.call_later(fault.wait_s, _write_unasked, transport, own)
        elif fault.wait_s:
            loop.call_later(fault.wait_s, _write_unasked, transport, own)
        else:
            _write_unasked(transport, own)
        return written


def response(answer: Answer) -> web.Response:
    """An answer as aiohttp writes it."""
    headers = {"Content-Type": answer.content_type, **answer.headers} if answer.body else dict(answer.headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _write_unasked(transport: asyncio.Transport, answer: Answer) -> None:
    if transport.is_closing():
        return
    headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Unasked", *(f"{name}: {value}" for name, value in headers.items())]
    transport.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
    if answer.headers.get("Connection") == "close":
        transport.close()


def _with_retry_after(answer: Answer, value: str) -> Answer:
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


async def _truncate(request: web.Request, *, status: int) -> web.StreamResponse:
    cut = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    cut.enable_chunked_encoding()
    await cut.prepare(request)
    await cut.write(b'{"status": "que')
    if request.transport is not None:
        request.transport.close()
    return cut
