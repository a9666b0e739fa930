"""All parts of the stand-in, and the way of one request through them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks, Outbox
from airflow_provider_dropcowboy.sandbox.clock import Clock
from airflow_provider_dropcowboy.sandbox.endings import Endings, response
from airflow_provider_dropcowboy.sandbox.faults import Fault, Faults
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, CarryOut, RefusedError, json_answer
from airflow_provider_dropcowboy.sandbox.routes import Account, Lists, Sends
from airflow_provider_dropcowboy.sandbox.settings import Limits, Settings
from airflow_provider_dropcowboy.sandbox.state import State
from airflow_provider_dropcowboy.sandbox.v2 import account as v2_account
from airflow_provider_dropcowboy.sandbox.v2 import protocol as v2_protocol
from airflow_provider_dropcowboy.sandbox.v2 import sends as v2_sends
from airflow_provider_dropcowboy.sandbox.v2.contacts import Contacts
from airflow_provider_dropcowboy.sandbox.v2.webhooks import Webhooks

TOO_MANY: Final = json_answer({"error": "Too many requests"}, status=429)


class Vendor:
    """One account of the stand-in, with its state, lists, faults and callbacks."""

    def __init__(self, settings: Settings, *, faults: tuple[Fault, ...] = ()) -> None:
        self.settings = settings
        self.state = State()
        self.clock = Clock()
        self.outbox = Outbox(concurrency=settings.callback_concurrency, clock=self.clock)
        self.callbacks = Callbacks(settings, state=self.state, outbox=self.outbox)
        self.webhooks = Webhooks(settings, state=self.state, outbox=self.outbox)
        self.lists = Lists(settings)
        self.account = Account(settings)
        self.sends = Sends(settings, state=self.state, callbacks=self.callbacks)
        self.v2_account = v2_account.Account(settings)
        self.v2_contacts = Contacts(settings, clock=self.clock)
        self.v2_sends = v2_sends.Sends(
            state=self.state,
            callbacks=self.callbacks,
            webhooks=self.webhooks,
            account=self.v2_account,
            clock=self.clock,
        )
        self.faults = Faults(seed=settings.seed)
        self.faults.add(faults)
        self._limits = Limits(settings)
        self._endings = Endings()

    def change(self, changes: Mapping[str, object]) -> None:
        """Settings change from the next request on.

        :raises SettingsError: nothing has changed.
        """
        self.settings = self.settings.changed(changes)
        self.callbacks.settings = self.webhooks.settings = self.v2_account.settings = self.settings
        self.v2_contacts.settings = self.settings
        self._limits = Limits(self.settings)

    def reset(self) -> None:
        """Everything that was asked is forgotten, the faults too; the settings stay."""
        self.state.reset()
        self.outbox.reset()
        self.callbacks.reset()
        self.webhooks.reset()
        self.v2_account.reset()
        self.v2_contacts.reset()
        self.v2_sends.reset()
        self.lists.reset()
        self.faults.clear()

    async def serve(self, request: web.Request, route: str, *, carry_out: CarryOut, is_v2: bool) -> web.StreamResponse:
        """One request, from its first byte to its answer or what a fault made of it.

        What it asks for is done before the latency begins: a client that gives up in between does not undo it.
        """
        self._endings.begin(request)
        self.state.arrive(route)
        try:
            ask = await _read(request, route, is_v2=is_v2)
            if contact_id := ask.text("contact_id"):
                ask = replace(ask, contact_number=self.v2_contacts.number_of(contact_id))
            self.state.count_ask(ask)
            fault: Fault | None = None
            if not self._limits.admits(in_flight=self.state.in_flight):
                answer = _worded(TOO_MANY, ask)
            else:
                fault = self.faults.meet(route, ask.names())
                if fault is None or fault.kind.is_taken:
                    answer = _carried_out(ask, carry_out)
                else:
                    answer = _worded(fault.kind.answer, ask)
            self.state.answer(ask, fault.name if fault else str(answer.status))
            if self.settings.latency_ms:
                await asyncio.sleep(self.settings.latency_ms / 1000)
            if fault is not None:
                return await self._endings.end(request, fault, answer=answer, own=_worded(fault.kind.answer, ask))
            self.state.answers[answer.status] += 1
            return response(answer)
        finally:
            self.state.leave()


def _carried_out(ask: Ask, carry_out: CarryOut) -> Answer:
    try:
        return carry_out(ask)
    except RefusedError as refused:
        if ask.is_v2:
            return v2_protocol.refused(refused.status, refused.reason, code=refused.code)
        return refused.answer()


def _worded(answer: Answer, ask: Ask) -> Answer:
    return v2_protocol.reworded(answer) if ask.is_v2 else answer


async def _read(request: web.Request, route: str, *, is_v2: bool) -> Ask:
    ask = Ask(
        route,
        request.headers,
        query=request.query,
        item_id=next(iter(request.match_info.values()), ""),
        is_v2=is_v2,
    )
    if request.method not in {"POST", "PUT"}:
        return ask
    raw = await request.read()
    if route == "put_upload":
        return replace(ask, raw=raw)
    if is_v2 and not raw:
        return ask
    # as the usual JSON body parsers: a body of another type is not looked at
    if not request.headers.get("Content-Type", "").lower().startswith("application/json"):
        return replace(ask, problem="Content-Type must be application/json")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return replace(ask, problem="Malformed JSON")
    if not isinstance(body, dict):
        return replace(ask, problem="The body must be a JSON object")
    return replace(ask, body=body)
