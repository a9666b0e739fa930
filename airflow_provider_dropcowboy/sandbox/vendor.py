"""A local Drop Cowboy: all its parts, the routes of both versions, and the way of one request through them.

The sandbox imports nothing of ours, so that one mistake cannot hide on both sides.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from aiohttp import web

from airflow_provider_dropcowboy.sandbox import catalog, protocol
from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks, Webhooks
from airflow_provider_dropcowboy.sandbox.faults import Endings, response
from airflow_provider_dropcowboy.sandbox.lists import Contacts, Lists
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, CarryOut, RefusedError, json_answer
from airflow_provider_dropcowboy.sandbox.sends import V1Sends, V2Sends
from airflow_provider_dropcowboy.sandbox.settings import Fault, Faults, Limits, Settings
from airflow_provider_dropcowboy.sandbox.state import Outbox, State

TOO_MANY: Final = json_answer({"error": "Too many requests"}, status=429)

Guard = Callable[[Ask], None]
"""Lets a request pass, or raises RefusedError."""


class Vendor:
    """One account of the sandbox, with its state, lists, faults and callbacks."""

    def __init__(self, settings: Settings, *, faults: tuple[Fault, ...] = ()) -> None:
        self.state = State(settings)
        self.outbox = Outbox(self.state)
        self.callbacks = Callbacks(self.state, self.outbox)
        self.webhooks = Webhooks(self.state, self.outbox)
        self.lists = Lists()
        self.sends = V1Sends(self.state, self.callbacks)
        self.v2_account = catalog.Account(self.state)
        self.v2_contacts = Contacts()
        self.v2_sends = V2Sends(self.state, callbacks=self.callbacks, webhooks=self.webhooks, account=self.v2_account)
        self.faults = Faults(seed=settings.seed)
        self.faults.add(faults)
        self._limits = Limits(settings)
        self._endings = Endings()

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self.state.settings

    def change(self, changes: Mapping[str, object]) -> None:
        """Settings change from the next request on.

        :raises SettingsError: nothing has changed.
        """
        self.state.settings = self.settings.changed(changes)
        self._limits = Limits(self.settings)

    def reset(self) -> None:
        """Forget all requests, and the faults too; the settings stay."""
        for part in (
            self.state, self.outbox, self.callbacks, self.webhooks, self.lists, self.v2_account, self.v2_contacts,
            self.v2_sends,
        ):  # fmt: skip
            part.reset()
        self.faults.clear()

    def routes(self) -> list[web.RouteDef]:
        """API v1 below ``/v1``, API v2 without a prefix: method, path, the name that faults know, and what it does."""
        lists, account, hooks, people = self.lists, self.v2_account, self.webhooks, self.v2_contacts
        webhook, media, contacts = "/register/public/webhooks", "/media/public/media", "/contact/public/contacts"
        with_headers = [
            ("POST", "/v1/rvm", "rvm", self.sends.rvm),
            ("POST", "/v1/sms", "sms", self.sends.sms),
            ("POST", "/v1/list", "create", lists.create),
            ("GET", "/v1/list/{list_id}", "show", lists.show),
            ("POST", "/v1/list/{list_id}", "rename", lists.rename),
            ("DELETE", "/v1/list/{list_id}", "delete", lists.delete),
            ("POST", "/v1/list/{list_id}/contacts", "append", lists.append),
            ("GET", "/v1/brand", "brand", lambda _ask: json_answer(catalog.BRANDS)),
            ("GET", "/v1/recording", "recording", catalog.recordings),
            ("GET", "/v1/media", "media", lambda _ask: json_answer(catalog.RECORDINGS)),
            ("GET", "/v1/pool", "pool", lambda _ask: json_answer(catalog.POOLS)),
        ]
        with_key = [
            ("GET", "/register/public/integration-readiness", "readiness", account.readiness),
            ("GET", webhook, "webhooks", hooks.show),
            ("POST", webhook, "register", hooks.register),
            ("GET", webhook + "/{item_id}", "webhooks", hooks.show),
            ("PUT", webhook + "/{item_id}", "update_webhook", hooks.update),
            ("DELETE", webhook + "/{item_id}", "delete_webhook", hooks.delete),
            ("POST", webhook + "/{item_id}/rotate-secret", "rotate", hooks.rotate),
            ("GET", "/register/public/account/webhook-signing-secret", "secrets", hooks.secrets),
            ("GET", media, "medias", account.list_media),
            ("POST", media, "upload", account.add_media),
            ("GET", media + "/{item_id}", "medias", account.list_media),
            ("POST", media + "/{item_id}/complete", "complete", account.complete),
            ("GET", "/voice/public/voices", "voices", account.voices),
            ("GET", "/phone/public/lines", "lines", account.list_lines),
            ("GET", "/phone/public/lines/{item_id}/numbers", "lines", account.numbers_of_line),
            ("GET", "/integration/public/byoc", "byoc", account.show_byoc),
            ("GET", "/campaign/public/campaigns/{item_id}/stats", "campaigns", account.campaign_stats),
            ("POST", "/phone/public/embed/token", "token", account.grant),
        ]
        with_token = [
            ("GET", contacts, "contacts", people.find),
            ("POST", contacts, "append_contacts", people.append),
            ("GET", contacts + "/search", "contacts", people.find),
            ("GET", contacts + "/{item_id}", "contacts", people.show),
            ("PUT", contacts + "/{item_id}", "change_contact", people.change),
            ("DELETE", contacts + "/{item_id}", "delete_contact", people.delete),
            ("POST", contacts + "/{item_id}/consent", "consent", people.consent),
            ("GET", "/contact/public/lists/{item_id}/contacts", "contacts", people.find),
        ]
        # a send of v2 is answered before its credentials are looked at, and an upload's address is its credential
        open_to_all = [
            ("POST", "/rvm", "rvm", self.v2_sends.send),
            ("POST", "/sms", "sms", self.v2_sends.send),
            ("PUT", catalog.UPLOAD_PATH + "/{item_id}", "put_upload", account.put_upload),
        ]
        return [
            web.route(method, path, partial(self.serve, route=name, guard=guard, carry_out=carry_out, is_v2=is_v2))
            for is_v2, guard, rows in (
                (False, partial(self._require_account, login="x-team-id"), with_headers),
                (True, partial(self._require_account, login="x-key"), with_key),
                (True, account.require_token, with_token),
                (True, lambda _ask: None, open_to_all),
            )
            for method, path, name, carry_out in rows
        ]

    def _require_account(self, ask: Ask, *, login: str) -> None:
        given = ask.headers.get(login, ""), ask.headers.get("x-secret", "")
        if not self.settings.is_account(*given, is_v2=ask.is_v2):
            raise RefusedError(401, "Unauthorized")

    async def serve(
        self, request: web.Request, *, route: str, guard: Guard, carry_out: CarryOut, is_v2: bool
    ) -> web.StreamResponse:
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
                answer = protocol.worded(TOO_MANY, ask)
            else:
                fault = self.faults.meet(route, ask.names())
                if fault is None or fault.kind.is_taken:
                    answer = _carried_out(ask, guard, carry_out)
                else:
                    answer = protocol.worded(fault.kind.answer, ask)
            self.state.answer(ask, fault.name if fault else str(answer.status))
            if self.settings.latency_ms:
                await asyncio.sleep(self.settings.latency_ms / 1000)
            if fault is not None:
                own = protocol.worded(fault.kind.answer, ask)
                ending = fault.kind.ending
                return await self._endings.end(request, ending, wait_s=fault.wait_s, answer=answer, own=own)
            self.state.answers[answer.status] += 1
            return response(answer)
        finally:
            self.state.leave()


def _carried_out(ask: Ask, guard: Guard, carry_out: CarryOut) -> Answer:
    try:
        guard(ask)
        return carry_out(ask)
    except RefusedError as error:
        return error.answer(ask)


async def _read(request: web.Request, route: str, *, is_v2: bool) -> Ask:
    item_id = next(iter(request.match_info.values()), "")
    ask = Ask(route, request.headers, query=request.query, item_id=item_id, is_v2=is_v2)
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
