"""The receiver as an ASGI app: which route means what, and what is answered."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_dropcowboy.api.callback_url import PATH, Ticket
from airflow_provider_dropcowboy.receiver.arrival import TIMEOUT_S, Arrival, read_body
from airflow_provider_dropcowboy.receiver.metrics import Metrics, Refusal
from airflow_provider_dropcowboy.receiver.spool import Spool
from airflow_provider_dropcowboy.receiver.store import Intake, Store
from airflow_provider_dropcowboy.receiver.wiring import LOOK_EVERY_S, Find, Keyring

MAX_HELD: Final = 1_000
"""Callbacks with a token that are in memory; the bodies of further ones wait in their connections."""

MAX_UNSIGNED_HELD: Final = 200
"""Callbacks of the account-wide webhook that are in memory: whoever reaches it holds no room of those with a token."""

MAX_REPEATS: Final = 16
"""Callbacks under one token. The vendor posts one a message; whoever has its URL could fill the ledger with others."""

MAX_TOKENS: Final = 50_000
"""Tokens whose callbacks are counted, the last ones used; some 10 MB."""

log = logging.getLogger(__name__)


class Receiver:
    """Routes and a lifespan, for a Starlette of its own or for somebody else's app.

    Nothing is opened before the lifespan begins: a server may fork after the app is made.

    :param spool_folder: where callbacks wait while the ledger is down; a folder in it for each ledger.
    :param takes_unsigned: has a route for the account-wide webhook, whose callbacks bear no token.
    :param may_see: whether who sends a request may see connections, problems and volumes; anybody, if it is None.
        Others are told by ``/ready`` whether it is, and by ``/metrics`` nothing.
    """

    def __init__(
        self,
        find: Find,
        *,
        spool_folder: Path,
        takes_unsigned: bool = False,
        may_see: Callable[[Request], Awaitable[bool]] | None = None,
    ) -> None:
        self._find = find
        self._takes_unsigned = takes_unsigned
        self._may_see = may_see
        self._spool_folder = spool_folder
        self._store: Store | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[BaseRoute] = [
            Route(f"{PATH}{{token}}", self, methods=["GET", "POST"]),
            Route("/health", self._tell_health, methods=["GET"]),
            Route("/ready", self._tell_readiness, methods=["GET"]),
            Route("/metrics", self._tell_metrics, methods=["GET"]),
        ]
        if takes_unsigned:
            self.routes.append(Route("/webhook", self._take_unsigned, methods=["POST"]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request to ``/callbacks/{token}``; GET says whether the token is good, for ``dropcowboy doctor``."""
        start, _, token = scope["path"].rpartition("/")
        # the server's log of accesses is written from the scope, and a token is good for a result
        scope["path"] = f"{start}/***"
        scope["raw_path"] = scope["path"].encode()
        answer = await self._answer(token, scope, receive)
        if answer is _OK:  # two messages that never change
            await send(_OK_START)
            await send(_OK_END)
        else:
            await answer(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Callbacks are taken within the block; what was taken is kept at its end."""
        self._metrics = Metrics()
        self._room = asyncio.Semaphore(MAX_HELD)
        self._unsigned_room = asyncio.Semaphore(MAX_UNSIGNED_HELD)
        self._uses = _Uses()
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
        self._intake = Intake(self._store.keep, self._metrics)
        self._tasks += [asyncio.create_task(self._store.run()), asyncio.create_task(self._intake.run())]

    async def _answer(self, token: str, scope: Scope, receive: Receive) -> Response:
        if self._store is None or self._keyring.is_empty:
            return _NOT_WIRED
        ticket = await self._keyring.ticket(token)
        if ticket is None:
            self._metrics.forged.inc()
            return _NOT_FOUND
        if scope["method"] != "POST":
            return PlainTextResponse("good\n")
        if not self._uses.begin(ticket):
            return self._refuse(Refusal.REPEATED)
        answer = None
        try:
            async with self._room:
                answer = await self._take(scope, receive, ticket=ticket)
                return answer
        finally:
            if answer is not _OK:
                self._uses.forget(ticket)

    async def _take_unsigned(self, request: Request) -> Response:
        if self._store is None:
            return _NOT_WIRED
        try:
            await asyncio.wait_for(self._unsigned_room.acquire(), TIMEOUT_S)
        except TimeoutError:
            return self._refuse(Refusal.NO_ROOM)
        try:
            return await self._take(request.scope, request.receive, ticket=None)
        finally:
            self._unsigned_room.release()

    async def _take(self, scope: Scope, receive: Receive, *, ticket: Ticket | None) -> Response:
        match await read_body(scope, receive):
            case bytes(body):
                if await self._intake.keep(Arrival(ticket, body)):
                    return _OK
                return self._refuse(Refusal.SPOOL_FULL)
            case Refusal() as refusal:
                return self._refuse(refusal)
            case None:  # its sender is gone
                return _ANSWERS[Refusal.TOO_SLOW]

    def _refuse(self, refusal: Refusal) -> Response:
        self._metrics.refused(refusal)
        if refusal is Refusal.UNKNOWN_ENCODING:
            log.warning("a callback came in a Content-Encoding that is neither gzip nor deflate: it was refused")
        return _ANSWERS[refusal]

    async def _tell_health(self, _request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _tell_readiness(self, request: Request) -> Response:
        """Whether a callback that comes now is kept."""
        store, problems = self._store, list(self._keyring.problems)
        has_key = self._takes_unsigned or not self._keyring.is_empty
        is_ready = store is not None and store.is_ready and has_key
        status = 200 if is_ready else 503
        if not await self._is_shown_to(request):
            return PlainTextResponse("ready\n" if is_ready else "not ready\n", status)
        state = {
            "ready": is_ready,
            "ledger": "not known" if store is None else store.trouble or "takes callbacks",
            "spool": "not known" if store is None else store.spool_problem or "takes callbacks",
            "spooled": 0 if store is None else store.spooled,
            "problems": problems,
        }
        return JSONResponse(state, status)

    async def _tell_metrics(self, request: Request) -> Response:
        if not await self._is_shown_to(request):
            return PlainTextResponse("Unauthorized", 401, {"www-authenticate": "Bearer"})
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _is_shown_to(self, request: Request) -> bool:
        return self._may_see is None or await self._may_see(request)


class _Uses:
    """How many callbacks of a token are being received or were kept, for the last ``MAX_TOKENS`` tokens."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Ticket, int] = OrderedDict()

    def begin(self, ticket: Ticket) -> bool:
        """One more callback; False: that would be too many."""
        count = self._counts.get(ticket, 0)
        if count == MAX_REPEATS:
            log.warning("send %s: its callback URL was used %d times, more are refused", ticket.foreign_id, count)
        self._counts[ticket] = min(count, MAX_REPEATS) + 1  # one above: the warning is given once
        self._counts.move_to_end(ticket)
        if len(self._counts) > MAX_TOKENS:
            self._counts.popitem(last=False)
        return count < MAX_REPEATS

    def forget(self, ticket: Ticket) -> None:
        """A callback that began was not kept: it may come again."""
        if ticket in self._counts:
            self._counts[ticket] -= 1


def spool_name(ledger_url: sa.URL) -> str:
    """The folder of a ledger's callbacks: what a receiver of another ledger left is not taken over."""
    place = f"{ledger_url.host}:{ledger_url.port}/{ledger_url.database}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def receiver_app(
    find: Find,
    *,
    spool_folder: Path,
    takes_unsigned: bool = False,
    may_see: Callable[[Request], Awaitable[bool]] | None = None,
) -> ASGIApp:
    """The receiver as an app of its own.

    Callbacks do not go through Starlette: its routes and exception handlers cost as much as all the rest of a callback.
    """
    receiver = Receiver(find, spool_folder=spool_folder, takes_unsigned=takes_unsigned, may_see=may_see)
    framework = Starlette(routes=receiver.routes, lifespan=receiver.lifespan)
    framework.router.redirect_slashes = False  # a redirect would show the token once more

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if is_post and scope["path"].startswith(PATH) and scope["path"].count("/") == 2 and scope["path"] != PATH:
            await receiver(scope, receive, send)
        else:
            await framework(scope, receive, send)

    return app


_OK: Final = Response()
_OK_START: Final = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_OK_END: Final = {"type": "http.response.body", "body": b""}
_NOT_FOUND: Final = PlainTextResponse("Not Found", 404)
_NOT_WIRED: Final = PlainTextResponse("not configured, see /ready", 503)
_CLOSE: Final = {"connection": "close"}  # what is left of such a body is not worth reading
_ANSWERS: Final = {
    Refusal.TOO_LARGE: PlainTextResponse("Content Too Large", 413, _CLOSE),
    Refusal.TOO_SLOW: PlainTextResponse("Request Timeout", 408, _CLOSE),
    Refusal.UNKNOWN_ENCODING: PlainTextResponse("Unsupported Media Type", 415, {**_CLOSE, "accept-encoding": "gzip"}),
    Refusal.REPEATED: PlainTextResponse("Too Many Requests", 429, _CLOSE),
    Refusal.NO_ROOM: PlainTextResponse("no room for callbacks", 503, _CLOSE),
    Refusal.SPOOL_FULL: PlainTextResponse("no room for callbacks", 503),
}
