"""What a test may ask of the sandbox while it runs: faults, settings, a reset; and the trap behind a redirect."""

import json

from aiohttp import web

from airflow_provider_dropcowboy.sandbox.faults import TRAP_PATH, Fault
from airflow_provider_dropcowboy.sandbox.settings import SettingsError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from airflow_provider_dropcowboy.sandbox.wire import QUEUED


class Control:
    """The routes below ``/_sandbox`` that change something."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def routes(self) -> list[web.RouteDef]:
        """For the application's router."""
        return [
            web.post("/_sandbox/faults", self.add_faults),
            web.delete("/_sandbox/faults", self.clear_faults),
            web.post("/_sandbox/settings", self.change_settings),
            web.post("/_sandbox/reset", self.reset),
            web.route("*", TRAP_PATH, self.trap),
        ]

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


async def _json(request: web.Request) -> object:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON") from None


def _refused(error: SettingsError) -> web.Response:
    return web.json_response({"error": str(error)}, status=400)
