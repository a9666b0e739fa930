"""All parts of the stand-in, and the way of one request through them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks
from airflow_provider_dropcowboy.sandbox.endings import Endings, response
from airflow_provider_dropcowboy.sandbox.faults import Fault, Faults
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, CarryOut, RefusedError, json_answer
from airflow_provider_dropcowboy.sandbox.routes import Account, Lists, Sends
from airflow_provider_dropcowboy.sandbox.settings import Limits, Settings
from airflow_provider_dropcowboy.sandbox.state import State

TOO_MANY: Final = json_answer({"error": "Too many requests"}, status=429)


class Vendor:
    """One account of the stand-in, with its state, lists, faults and callbacks."""

    def __init__(self, settings: Settings, *, faults: tuple[Fault, ...] = ()) -> None:
        self.settings = settings
        self.state = State()
        self.callbacks = Callbacks(settings, state=self.state)
        self.lists = Lists(settings)
        self.account = Account(settings)
        self.sends = Sends(settings, state=self.state, callbacks=self.callbacks)
        self.faults = Faults(seed=settings.seed)
        self.faults.add(faults)
        self._limits = Limits(settings)
        self._endings = Endings()

    def change(self, changes: Mapping[str, object]) -> None:
        """Settings change from the next request on.

        :raises SettingsError: nothing has changed.
        """
        self.settings = self.callbacks.settings = self.settings.changed(changes)
        self._limits = Limits(self.settings)

    def reset(self) -> None:
        """Everything that was asked is forgotten, the faults too; the settings stay."""
        self.state.reset()
        self.callbacks.reset()
        self.lists.reset()
        self.faults.clear()

    async def serve(self, request: web.Request, route: str, *, carry_out: CarryOut) -> web.StreamResponse:
        """One request, from its first byte to its answer or what a fault made of it.

        What it asks for is done before the latency begins: a client that gives up in between does not undo it.
        """
        self._endings.begin(request)
        self.state.arrive(route)
        try:
            ask = await _read(request, route)
            self.state.count_ask(ask)
            fault = None
            if not self._limits.admits(in_flight=self.state.in_flight):
                answer = TOO_MANY
            else:
                fault = self.faults.meet(route, ask.names())
                answer = _carried_out(ask, carry_out) if fault is None or fault.kind.is_taken else fault.kind.answer
            self.state.answer(ask, fault.name if fault else str(answer.status))
            if self.settings.latency_ms:
                await asyncio.sleep(self.settings.latency_ms / 1000)
            if fault is not None:
                return await self._endings.end(request, fault, answer=answer)
            self.state.answers[answer.status] += 1
            return response(answer)
        finally:
            self.state.leave()


def _carried_out(ask: Ask, carry_out: CarryOut) -> Answer:
    try:
        return carry_out(ask)
    except RefusedError as refused:
        return refused.answer()


async def _read(request: web.Request, route: str) -> Ask:
    list_id = request.match_info.get("list_id", "")
    if request.method != "POST":
        return Ask(route, request.headers, query=request.query, list_id=list_id)
    raw = await request.read()
    body: object = None
    problem = ""
    # as the usual JSON body parsers: a body of another type is not looked at
    if not request.headers.get("Content-Type", "").lower().startswith("application/json"):
        problem = "Content-Type must be application/json"
    else:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            problem = "Malformed JSON"
    if isinstance(body, dict):
        return Ask(route, request.headers, body=body, list_id=list_id)
    return Ask(route, request.headers, list_id=list_id, problem=problem or "The body must be a JSON object")
