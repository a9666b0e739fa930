"""What the sandbox saw, for tests (JSON) and for people (one page), and what a test may change while it runs.

It asks for no credentials: the sandbox listens on this machine alone unless it is told otherwise.
"""

import json
from dataclasses import asdict
from typing import Final

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.callbacks import outcome_of
from airflow_provider_dropcowboy.sandbox.faults import TRAP_PATH, Fault
from airflow_provider_dropcowboy.sandbox.page import REFRESH_S, render_page
from airflow_provider_dropcowboy.sandbox.protocol import QUEUED
from airflow_provider_dropcowboy.sandbox.settings import SettingsError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

MAX_WAIT_S: Final = 600.0


class Control:
    """The routes below ``/_sandbox``."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [
            web.get("/_sandbox", self.page),
            web.get("/_sandbox/stats", self.stats),
            web.get("/_sandbox/takes", self.takes),
            web.get("/_sandbox/sends", self.sends),
            web.get("/_sandbox/phones", self.phones),
            web.get("/_sandbox/lists", self.lists),
            web.get("/_sandbox/callbacks", self.callbacks),
            web.get("/_sandbox/webhooks", self.webhooks),
            web.post("/_sandbox/events", self.emit),
            web.post("/_sandbox/clock", self.advance),
            web.get("/_sandbox/faults", self.faults),
            web.post("/_sandbox/faults", self.add_faults),
            web.delete("/_sandbox/faults", self.clear_faults),
            web.post("/_sandbox/settings", self.change_settings),
            web.post("/_sandbox/reset", self.reset),
            web.route("*", TRAP_PATH, self.trap),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """The page for people; a browser loads it again by itself."""
        headers = {
            "Refresh": str(REFRESH_S),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        return web.Response(text=render_page(self._vendor), content_type="text/html", headers=headers)

    async def stats(self, _request: web.Request) -> web.Response:
        """Totals of everything."""
        state = self._vendor.state
        return web.json_response(
            {
                **state.takes(),
                "in_flight": state.in_flight,
                "requests": dict(state.requests),
                "answers": {str(status): count for status, count in state.answers.items()},
                "unauthorized": state.answers[401],
                "lists": len(self._vendor.lists),
                "faults_met": {str(row["name"]): row["met"] for row in self._vendor.faults.shown()},
                "callbacks": {name: value for name, value in self._vendor.callbacks.shown().items() if name != "last"},
                "keys": self._vendor.v2_sends.keys.shown(),
                "codes": {str(code): count for code, count in self._vendor.v2_sends.by_code.items()},
                "trap": asdict(state.trap),
            }
        )

    async def takes(self, request: web.Request) -> web.Response:
        """The compact account; with ``?asks=N`` or ``?takes=N`` it waits until there are so many."""
        asks, takes = _wanted(request, "asks"), _wanted(request, "takes")
        await self._vendor.state.wait_until(
            lambda: self._vendor.state.total.asks >= asks and self._vendor.state.total.takes >= takes,
            timeout_s=_timeout_s(request),
        )
        return web.json_response(self._vendor.state.takes())

    async def sends(self, request: web.Request) -> web.Response:
        """Every send by its foreign_id; with ``?contains=`` only those with that in their id or number."""
        return web.json_response(self._sends(request.query.get("contains", "")))

    async def phones(self, _request: web.Request) -> web.Response:
        """Asks and takes of every number, over all campaigns and channels."""
        return web.json_response({number: asdict(tally) for number, tally in self._vendor.state.phones.items()})

    async def lists(self, _request: web.Request) -> web.Response:
        """Every contact list with all its contacts."""
        return web.json_response(self._vendor.lists.shown())

    async def callbacks(self, request: web.Request) -> web.Response:
        """Counts and the last callbacks; with ``?done=N`` it waits until so many were answered or given up."""
        done = _wanted(request, "done")
        await self._vendor.state.wait_until(lambda: self._vendor.callbacks.done >= done, timeout_s=_timeout_s(request))
        return web.json_response(self._vendor.callbacks.shown())

    async def webhooks(self, request: web.Request) -> web.Response:
        """The webhooks and the last attempts; with ``?done=N`` it waits until so many events were answered or given up.

        With ``?attempts=N`` it waits for so many attempts.
        """
        done, attempts = _wanted(request, "done"), _wanted(request, "attempts")
        webhooks = self._vendor.webhooks
        await self._vendor.state.wait_until(
            lambda: webhooks.done >= done and webhooks.attempts.total() >= attempts, timeout_s=_timeout_s(request)
        )
        return web.json_response(webhooks.shown())

    async def emit(self, request: web.Request) -> web.Response:
        """An event of a JSON object, ``event`` and ``data``, is delivered to every webhook that hears of it."""
        told = await _json(request)
        if (
            not isinstance(told, dict)
            or not isinstance(told.get("event"), str)
            or not isinstance(told.get("data"), dict)
        ):
            return _refused(SettingsError("an event has the text event and the object data"))
        return web.json_response({"heard": self._vendor.webhooks.emit(told["event"], told["data"])})

    async def advance(self, request: web.Request) -> web.Response:
        """The clock moves forward by ``advance_s``: what is due by then is sent, and old keys are forgotten."""
        changes = await _json(request)
        seconds = changes.get("advance_s") if isinstance(changes, dict) else None
        if not isinstance(seconds, int | float) or seconds < 0:
            return _refused(SettingsError("advance_s must be a number of seconds"))
        self._vendor.clock.advance(seconds)
        return web.json_response({})

    async def faults(self, _request: web.Request) -> web.Response:
        """The faults in force, and how often each was met."""
        return web.json_response(self._vendor.faults.shown())

    async def add_faults(self, request: web.Request) -> web.Response:
        """Faults of a JSON list are in force, all or (400) none of them."""
        rows = await _json(request)
        try:
            if not isinstance(rows, list):
                raise SettingsError("faults are a JSON list of objects")
            self._vendor.faults.add([Fault.parse(row) for row in rows])
        except SettingsError as error:
            return _refused(error)
        return web.json_response(self._vendor.faults.shown())

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """No fault is in force."""
        self._vendor.faults.clear()
        return web.json_response([])

    async def change_settings(self, request: web.Request) -> web.Response:
        """The settings of a JSON object hold from the next request on, all or (400) none of them."""
        changes = await _json(request)
        try:
            if not isinstance(changes, dict):
                raise SettingsError("settings are a JSON object")
            self._vendor.change(changes)
        except SettingsError as error:
            return _refused(error)
        return web.json_response(self._vendor.settings.shown())

    async def reset(self, _request: web.Request) -> web.Response:
        """Everything that was asked is forgotten, the faults too; the settings stay."""
        self._vendor.reset()
        return web.json_response({})

    async def trap(self, request: web.Request) -> web.Response:
        """A client that followed a redirect is seen here, and is told what it wants to hear."""
        raw = await request.read()
        secret = self._vendor.settings.secret
        trap = self._vendor.state.trap
        trap.requests += 1
        trap.with_secret += secret.encode() in raw or request.headers.get("x-secret") == secret
        return web.Response(body=QUEUED.body, content_type=QUEUED.content_type)

    def _sends(self, contains: str) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for key, send in self._vendor.state.sends.items():
            if contains in key or contains in send.phone_number:
                outcome = outcome_of(send.phone_number, self._vendor.settings.outcomes)
                found[key] = {**asdict(send), "outcome": outcome if send.takes else ""}
        return found


async def _json(request: web.Request) -> object:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON") from None


def _refused(error: SettingsError) -> web.Response:
    return web.json_response({"error": str(error)}, status=400)


def _wanted(request: web.Request, name: str) -> int:
    try:
        return int(request.query.get(name, "0"))
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name} must be a whole number") from None


def _timeout_s(request: web.Request) -> float:
    try:
        return min(float(request.query.get("timeout_s", "30")), MAX_WAIT_S)
    except ValueError:
        raise web.HTTPBadRequest(text="timeout_s must be a number of seconds") from None
