"""The sandbox as a web application, and its life on a port."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from airflow_provider_dropcowboy.sandbox.control import Control
from airflow_provider_dropcowboy.sandbox.faults import Fault
from airflow_provider_dropcowboy.sandbox.protocol import CarryOut
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.v2.account import UPLOAD_PATH
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

MAX_BODY_BYTES: Final = 64 * 2**20
"""10,000 contacts with every field filled, with room to spare: a call that is too large is refused by its count."""

SHUTDOWN_TIMEOUT_S: Final = 0.5


def build_app(settings: Settings, *, faults: tuple[Fault, ...] = ()) -> web.Application:
    """The whole stand-in: API v1 below ``/v1``, API v2 without a prefix, the view and the controls below ``/_sandbox``.

    Run it with ``handler_cancellation=True``, as ``serve`` does: else ``hang_after`` outlives its client.
    """
    vendor = Vendor(settings, faults=faults)

    def endpoint(route: str, carry_out: CarryOut, *, is_v2: bool = False) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await vendor.serve(request, route, carry_out=carry_out, is_v2=is_v2)

        return handle

    def v2(method: str, path: str, route: str, carry_out: CarryOut) -> web.RouteDef:
        return web.route(method, path, endpoint(route, carry_out, is_v2=True))

    account_v2, webhooks, people = vendor.v2_account, vendor.webhooks, vendor.v2_contacts
    webhook, media, contacts = "/register/public/webhooks", "/media/public/media", "/contact/public/contacts"

    lists, account = vendor.lists, vendor.account
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.add_routes(
        [
            web.post("/v1/rvm", endpoint("rvm", vendor.sends.rvm)),
            web.post("/v1/sms", endpoint("sms", vendor.sends.sms)),
            web.post("/v1/list", endpoint("create", lists.create)),
            web.get("/v1/list/{list_id}", endpoint("show", lists.show), allow_head=False),
            web.post("/v1/list/{list_id}", endpoint("rename", lists.rename)),
            web.delete("/v1/list/{list_id}", endpoint("delete", lists.delete)),
            web.post("/v1/list/{list_id}/contacts", endpoint("append", lists.append)),
            web.get("/v1/brand", endpoint("brand", account.brands), allow_head=False),
            web.get("/v1/recording", endpoint("recording", account.recordings), allow_head=False),
            web.get("/v1/media", endpoint("media", account.media), allow_head=False),
            web.get("/v1/pool", endpoint("pool", account.pools), allow_head=False),
            v2("POST", "/rvm", "rvm", vendor.v2_sends.send),
            v2("POST", "/sms", "sms", vendor.v2_sends.send),
            v2("GET", "/register/public/integration-readiness", "readiness", account_v2.readiness),
            v2("GET", webhook, "webhooks", webhooks.show),
            v2("POST", webhook, "register", webhooks.register),
            v2("GET", webhook + "/{item_id}", "webhooks", webhooks.show),
            v2("PUT", webhook + "/{item_id}", "update_webhook", webhooks.update),
            v2("DELETE", webhook + "/{item_id}", "delete_webhook", webhooks.delete),
            v2("POST", webhook + "/{item_id}/rotate-secret", "rotate", webhooks.rotate),
            v2("GET", "/register/public/account/webhook-signing-secret", "secrets", webhooks.secrets),
            v2("GET", media, "medias", account_v2.list_media),
            v2("POST", media, "upload", account_v2.add_media),
            v2("GET", media + "/{item_id}", "medias", account_v2.list_media),
            v2("POST", media + "/{item_id}/complete", "complete", account_v2.complete),
            v2("PUT", UPLOAD_PATH + "/{item_id}", "put_upload", account_v2.put_upload),
            v2("GET", "/voice/public/voices", "voices", account_v2.voices),
            v2("GET", "/phone/public/lines", "lines", account_v2.list_lines),
            v2("GET", "/phone/public/lines/{item_id}/numbers", "lines", account_v2.numbers_of_line),
            v2("GET", "/integration/public/byoc", "byoc", account_v2.show_byoc),
            v2("GET", "/campaign/public/campaigns/{item_id}/stats", "campaigns", account_v2.campaign_stats),
            v2("POST", "/phone/public/embed/token", "token", people.grant),
            v2("GET", contacts, "contacts", people.find),
            v2("POST", contacts, "append_contacts", people.append),
            v2("GET", contacts + "/search", "contacts", people.find),
            v2("GET", contacts + "/{item_id}", "contacts", people.show),
            v2("PUT", contacts + "/{item_id}", "change_contact", people.change),
            v2("DELETE", contacts + "/{item_id}", "delete_contact", people.delete),
            v2("POST", contacts + "/{item_id}/consent", "consent", people.consent),
            v2("GET", "/contact/public/lists/{item_id}/contacts", "contacts", people.find),
            *Control(vendor).routes(),
        ]
    )
    app.cleanup_ctx.append(vendor.outbox.run)
    return app


async def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    when_listening: Callable[[str], None],
    faults: tuple[Fault, ...] = (),
) -> None:
    """Listen until SIGTERM or SIGINT.

    :param port: 0 for one that is free.
    :param when_listening: called once with the API's base URL, as soon as requests are accepted.
    :raises OSError: the address cannot be listened on.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(
        build_app(settings, faults=faults),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    await runner.setup()
    try:
        # a burst of connections waits in the queue instead of being refused
        await web.TCPSite(runner, host, port, backlog=1024).start()
        address = runner.addresses[0]
        shown_host = f"[{address[0]}]" if ":" in address[0] else address[0]
        when_listening(f"http://{shown_host}:{address[1]}/v1")
        await stopped.wait()
    finally:
        await runner.cleanup()
