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
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

MAX_BODY_BYTES: Final = 64 * 2**20
"""10,000 contacts with every field filled, with room to spare: a call that is too large is refused by its count."""

SHUTDOWN_TIMEOUT_S: Final = 0.5


def build_app(settings: Settings, *, faults: tuple[Fault, ...] = ()) -> web.Application:
    """The whole stand-in: the API below ``/v1``, the view and the controls below ``/_sandbox``.

    Run it with ``handler_cancellation=True``, as ``serve`` does: else ``hang_after`` outlives its client.
    """
    vendor = Vendor(settings, faults=faults)

    def endpoint(route: str, carry_out: CarryOut) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await vendor.serve(request, route, carry_out=carry_out)

        return handle

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
            *Control(vendor).routes(),
        ]
    )
    app.cleanup_ctx.append(vendor.callbacks.run)
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
