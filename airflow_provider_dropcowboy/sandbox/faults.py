"""Faults by name, and how an answer, or the lack of one, looks on the connection."""

import asyncio
import math
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from enum import StrEnum
from typing import Final, assert_never
from weakref import WeakKeyDictionary

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, Answer, json_answer

HTML: Final = "text/html; charset=utf-8"
TRAP_PATH: Final = "/_sandbox/trap"

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 s: close sends RST instead of FIN


class Ending(StrEnum):
    """How a request that meets a fault ends."""

    ANSWER = "the fault's own answer"
    RETRY_DATE = "the fault's own answer, with Retry-After as a date"
    RETRY_SECONDS = "the fault's own answer, with Retry-After in seconds"
    CLOSE = "the connection is closed without a byte"
    RESET = "the connection is reset without a byte"
    TRUNCATE = "an answer that breaks off"
    HANG = "no answer until the client leaves"
    LATE = "the route's answer, later"
    UNASKED = "the route's answer, and after a time one more answer without a request"
    UNASKED_NEXT = "the route's answer; as the connection's next request arrives, one more answer without a request"
    CLOSE_IDLE = "the route's answer; the connection is closed when it has been idle for a time"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does.

    :param is_taken: the request is carried out first, as if nothing were wrong.
    :param delay_s: where the ending has a time in it; a fault may set another one.
    """

    is_taken: bool
    ending: Ending
    answer: Answer = field(default=Answer(500))
    delay_s: float = 0.0


def _page(status: int, title: str) -> Answer:
    return Answer(status, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode(), HTML)


def _kinds() -> dict[str, FaultKind]:
    too_many = json_answer({"error": "Too many requests"}, status=429)
    idle_too_long = replace(json_answer({"error": "Request timeout"}, status=408), headers={"Connection": "close"})
    kinds = {
        "lose_answer": FaultKind(True, Ending.CLOSE),
        "drop_request": FaultKind(False, Ending.CLOSE),
        "reset_after": FaultKind(True, Ending.RESET),
        "reset_before": FaultKind(False, Ending.RESET),
        "truncated_after": FaultKind(True, Ending.TRUNCATE),
        "hang_after": FaultKind(True, Ending.HANG),
        "slow": FaultKind(True, Ending.LATE, delay_s=2.0),
        "close_idle": FaultKind(True, Ending.CLOSE_IDLE, delay_s=2.0),
        "unasked_429": FaultKind(True, Ending.UNASKED, too_many),
        "unasked_200": FaultKind(True, Ending.UNASKED, QUEUED),
        "unasked_408": FaultKind(True, Ending.UNASKED, idle_too_long, delay_s=0.2),
        "unasked_429_next": FaultKind(True, Ending.UNASKED_NEXT, too_many),
        "unasked_200_next": FaultKind(True, Ending.UNASKED_NEXT, QUEUED),
        "odd_json_after": FaultKind(True, Ending.ANSWER, json_answer(["ok"])),
        "other_words_after": FaultKind(True, Ending.ANSWER, json_answer({"success": True})),
        "429": FaultKind(False, Ending.ANSWER, too_many),
        "429_seconds": FaultKind(False, Ending.RETRY_SECONDS, too_many, 1.0),
        "429_date": FaultKind(False, Ending.RETRY_DATE, too_many, 1.0),
        "redirect_302": FaultKind(False, Ending.ANSWER, Answer(302, headers={"Location": TRAP_PATH})),
        "redirect_307": FaultKind(False, Ending.ANSWER, Answer(307, headers={"Location": TRAP_PATH})),
        "not_found_html": FaultKind(False, Ending.ANSWER, _page(404, "Not Found")),
    }
    for name, status, reason in (
        ("unauthorized", 401, "Unauthorized"),
        ("payment_required", 402, "Insufficient funds"),
        ("forbidden", 403, "Forbidden"),
        ("timeout_408", 408, "Request timeout"),
        ("conflict", 409, "Conflict"),
        ("invalid_400", 400, "Invalid message"),
        ("too_large_413", 413, "Request entity too large"),
        ("unprocessable_422", 422, "Unprocessable entity"),
    ):
        kinds[name] = FaultKind(False, Ending.ANSWER, json_answer({"error": reason}, status=status))
    for suffix, is_taken in (("before", False), ("after", True)):
        kinds[f"html_200_{suffix}"] = FaultKind(is_taken, Ending.ANSWER, _page(200, "Please wait"))
        kinds[f"500_{suffix}"] = FaultKind(
            is_taken, Ending.ANSWER, json_answer({"error": "Internal server error"}, status=500)
        )
        for status, title in ((502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")):
            kinds[f"{status}_{suffix}"] = FaultKind(is_taken, Ending.ANSWER, _page(status, title))
        kinds[f"503_retry_after_{suffix}"] = FaultKind(
            is_taken, Ending.RETRY_SECONDS, _page(503, "Service Unavailable"), 1.0
        )
    return kinds


FAULT_KINDS: Final[Mapping[str, FaultKind]] = _kinds()
"""Every fault by its name; ``_after`` means that the request was carried out all the same."""


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

    async def end(
        self, request: web.Request, ending: Ending, *, wait_s: float, answer: Answer, own: Answer
    ) -> web.StreamResponse:
        """The end that a fault wants.

        :param wait_s: where the ending has a time in it.
        :param answer: of the route; for a fault before the taking, the fault's own.
        :param own: the fault's answer, as the route's version of the API words it.
        """
        match ending:
            case Ending.ANSWER:
                return response(own)
            case Ending.RETRY_SECONDS:
                return response(_with_retry_after(own, str(math.ceil(wait_s))))
            case Ending.RETRY_DATE:
                # the next whole second: an HTTP date has no fractions, and an earlier one would ask for no wait
                return response(_with_retry_after(own, formatdate(math.ceil(time.time() + wait_s), usegmt=True)))
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
                await asyncio.sleep(wait_s)
                return response(answer)
            case Ending.UNASKED | Ending.UNASKED_NEXT | Ending.CLOSE_IDLE:
                return await self._answer_and_more(request, ending, wait_s=wait_s, answer=answer, own=own)
            case _:
                assert_never(ending)

    async def _answer_and_more(
        self, request: web.Request, ending: Ending, *, wait_s: float, answer: Answer, own: Answer
    ) -> web.StreamResponse:
        written = response(answer)
        # written here, so that what follows counts from when the answer is out
        await written.prepare(request)
        await written.write_eof()
        transport, loop = request.transport, asyncio.get_running_loop()
        if transport is None:
            pass
        elif ending is Ending.CLOSE_IDLE:
            self._idle[transport] = loop.call_later(wait_s, transport.close)
        elif ending is Ending.UNASKED_NEXT:
            self._unasked[transport] = own
        elif own.headers.get("Connection") == "close":
            self._idle[transport] = loop.call_later(wait_s, _write_unasked, transport, own)
        elif wait_s:
            loop.call_later(wait_s, _write_unasked, transport, own)
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
