"""The receiver as an ASGI app: which route means what, and what is answered."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.body import read_body
from airflow_provider_dropcowboy.receiver.intake import Intake
from airflow_provider_dropcowboy.receiver.metrics import Metrics, Refusal
from airflow_provider_dropcowboy.receiver.spool import Spool
from airflow_provider_dropcowboy.receiver.store import Store
from airflow_provider_dropcowboy.receiver.wiring import LOOK_EVERY_S, Find, Keyring

MAX_HELD: Final = 1_000
"""Callbacks in memory; the bodies of further ones are not read, and TCP makes their senders wait."""


class Receiver:
    """Routes and a lifespan, for a Starlette of its own or for somebody else's app.

    Nothing is opened before the lifespan begins: a server may fork after the app is made.

    :param spool_folder: where callbacks wait while the ledger is down; a folder in it for each ledger.
    :param takes_unsigned: has a route for the account-wide webhook, whose callbacks bear no token.
    """

    def __init__(self, find: Find, *, spool_folder: Path, takes_unsigned: bool = False) -> None:
        self._find = find
        self._spool_folder = spool_folder
        self._store: Store | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[BaseRoute] = [
            Route("/callbacks/{token}", self._take_signed, methods=["POST"]),
            Route("/callbacks/{token}", self._tell_token, methods=["GET"]),
            Route("/health", self._tell_health, methods=["GET"]),
            Route("/ready", self._tell_readiness, methods=["GET"]),
            Route("/metrics", self._tell_metrics, methods=["GET"]),
        ]
        if takes_unsigned:
            self.routes.append(Route("/webhook", self._take_unsigned, methods=["POST"]))

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Callbacks are taken within the block; what was taken is kept at its end."""
        self._metrics = Metrics()
        self._room = asyncio.Semaphore(MAX_HELD)
        self._keyring = Keyring(self._find)
        await self._look()
        self._tasks.append(asyncio.create_task(self._look_again()))
        yield
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._store is not None:
            await self._store.close()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S if self._store is not None else LOOK_EVERY_S / 10)
            await self._look()

    async def _look(self) -> None:
        """Open for callbacks as soon as the connections are found."""
        await self._keyring.look()
        wiring = self._keyring.wiring
        if wiring is None:
            return
        if self._store is not None:
            self._store.url = wiring.ledger_url
            return
        spool = Spool(self._spool_folder / spool_name(wiring.ledger_url))
        self._store = Store(wiring.ledger_url, spool, metrics=self._metrics)
        self._intake = Intake(self._store, self._metrics)
        self._tasks += [asyncio.create_task(self._store.run()), asyncio.create_task(self._intake.run())]

    async def _take_signed(self, request: Request) -> Response:
        match await self._ticket(request):
            case Ticket() as ticket:
                return await self._take(request, ticket)
            case refusal:
                return refusal

    async def _tell_token(self, request: Request) -> Response:
        """Whether a callback with this token would be taken; nothing is. For ``dropcowboy doctor``."""
        match await self._ticket(request):
            case Ticket():
                return PlainTextResponse("good\n")
            case refusal:
                return refusal

    async def _ticket(self, request: Request) -> Ticket | Response:
        token = request.path_params["token"]
        # the server's log of accesses is written from the scope, and a token is good for a result
        request.scope["path"] = request.scope["path"].rpartition("/")[0] + "/***"
        request.scope["raw_path"] = request.scope["path"].encode()
        if self._store is None or self._keyring.is_empty:
            return _NOT_WIRED
        ticket = await self._keyring.ticket(token)
        if ticket is None:
            self._metrics.forged.inc()
            return _NOT_FOUND
        return ticket

    async def _take_unsigned(self, request: Request) -> Response:
        return _NOT_WIRED if self._store is None else await self._take(request, None)

    async def _take(self, request: Request, ticket: Ticket | None) -> Response:
        async with self._room:
            match await read_body(request):
                case bytes(body):
                    self._metrics.received.inc()
                    if await self._intake.keep(Arrival(ticket, body)):
                        return _OK
                    self._metrics.refused(Refusal.SPOOL_FULL)
                    return _FULL
                case Refusal.TOO_LARGE:
                    self._metrics.refused(Refusal.TOO_LARGE)
                    return _TOO_LARGE
                case _ as too_slow:
                    if too_slow is not None:
                        self._metrics.refused(Refusal.TOO_SLOW)
                    return _TOO_SLOW

    async def _tell_health(self, _request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _tell_readiness(self, _request: Request) -> Response:
        store = self._store
        is_ready = store is not None and store.has_room
        state = {
            "ready": is_ready,
            "ledger": "not known" if store is None else store.trouble or "takes callbacks",
            "spooled": 0 if store is None else store.spooled,
            "problems": self._keyring.problems,
        }
        return JSONResponse(state, 200 if is_ready else 503)

    async def _tell_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")


def spool_name(ledger_url: sa.URL) -> str:
    """The folder of a ledger's callbacks: what a receiver of another ledger left is not taken over."""
    place = f"{ledger_url.host}:{ledger_url.port}/{ledger_url.database}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def receiver_app(find: Find, *, spool_folder: Path, takes_unsigned: bool = False) -> Starlette:
    """The receiver as an app of its own."""
    receiver = Receiver(find, spool_folder=spool_folder, takes_unsigned=takes_unsigned)
    app = Starlette(routes=receiver.routes, lifespan=receiver.lifespan)
    app.router.redirect_slashes = False  # a redirect would show the token once more
    return app


_OK: Final = Response()
_NOT_FOUND: Final = PlainTextResponse("Not Found", 404)
# what is left of such a body is not worth reading
_TOO_LARGE: Final = PlainTextResponse("Content Too Large", 413, {"connection": "close"})
_TOO_SLOW: Final = PlainTextResponse("Request Timeout", 408, {"connection": "close"})
_FULL: Final = PlainTextResponse("no room for callbacks", 503)
_NOT_WIRED: Final = PlainTextResponse("not configured, see /ready", 503)
