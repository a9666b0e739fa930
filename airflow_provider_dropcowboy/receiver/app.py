"""The receiver as an ASGI app: which route means what, and what is answered."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from airflow_provider_dropcowboy.api.callbacks import PATH, Ticket
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.receiver import arrival, wiring
from airflow_provider_dropcowboy.receiver.arrival import Metrics, Refusal
from airflow_provider_dropcowboy.receiver.spool import Spool
from airflow_provider_dropcowboy.receiver.store import Store
from airflow_provider_dropcowboy.receiver.wiring import LOOK_EVERY_S, Find, Keyring

EVENTS_PATH: Final = "/events"
"""Where API v2 posts its signed webhooks."""

MAX_HELD: Final = 1_000
"""Callbacks with a token that are in memory; the bodies of further ones wait in their connections."""

MAX_UNSIGNED_HELD: Final = 200
"""Callbacks of the account-wide webhook that are in memory: whoever reaches it holds no room of those with a token."""

MAX_EVENTS_HELD: Final = 50
"""Events that are in memory: each may be 16 times as large as a callback, and is read before its signature is known."""

log = logging.getLogger(__name__)


class Receiver:
    """Routes and a lifespan, for a Starlette of its own or for somebody else's app.

    Nothing is opened before the lifespan begins: a server may fork after the app is made.

    :param spool_folder: where callbacks wait while the ledger is down; a folder in it for each ledger.
    :param takes_unsigned: has a route for the account-wide webhook, whose callbacks bear no token.
    :param may_see: whether who sends a request may see connections, problems and volumes; anybody, if it is None.
        To others, ``/ready`` says whether it is, and ``/metrics`` nothing.
    """

    def __init__(
        self,
        find: Find,
        *,
        spool_folder: Path,
        takes_unsigned: bool = False,
        may_see: Callable[[Request], Awaitable[bool]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._find = find
        self._clock = clock
        self._timeout_s = clock.pause_s(arrival.TIMEOUT_S)
        self._takes_unsigned = takes_unsigned
        self._may_see = may_see
        self._spool_folder = spool_folder
        self._store: Store | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.routes: list[BaseRoute] = [
            Route(f"{PATH}{{token}}", self, methods=["GET", "POST"]),
            Route(EVENTS_PATH, self._take_event, methods=["POST"]),
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

    def take(self, token: str, body: bytes) -> "asyncio.Future[bool] | None":
        """Begin to keep a callback; None: the long way decides, for anything about it that is out of the ordinary."""
        if self._store is None or len(body) > arrival.MAX_BYTES or self._intake.waiting >= MAX_HELD:
            return None
        ticket = self._keyring.known_ticket(token)
        if ticket is None or not self._uses.begin(ticket):
            return None
        is_kept = self._intake.submit(arrival.Arrival(ticket, body))
        is_kept.add_done_callback(partial(self._forget_unkept, ticket))
        return is_kept

    def _forget_unkept(self, ticket: Ticket, is_kept: "asyncio.Future[bool]") -> None:
        if is_kept.cancelled() or not is_kept.result():
            self._uses.forget(ticket)
            self._metrics.refused(Refusal.SPOOL_FULL)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Callbacks are accepted within the block, and stored at its end."""
        self._metrics = Metrics()
        self._room = asyncio.Semaphore(MAX_HELD)
        self._unsigned_room = asyncio.Semaphore(MAX_UNSIGNED_HELD)
        self._event_room = asyncio.Semaphore(MAX_EVENTS_HELD)
        self._uses = arrival.Uses()
        self._keyring = Keyring(self._find, clock=self._clock)
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
            await asyncio.sleep(self._clock.pause_s(LOOK_EVERY_S if self._store is not None else LOOK_EVERY_S / 10))
            await self._look()

    async def _look(self) -> None:
        """Open for callbacks as soon as the connections are found."""
        await self._keyring.look()
        found = self._keyring.wiring
        if found is None:
            return
        if self._store is not None:
            self._store.url, self._store.callback_secrets = found.ledger_url, found.secrets
            return
        spool = Spool(self._spool_folder / spool_name(found.ledger_url))
        self._store = Store(found.ledger_url, spool, metrics=self._metrics, clock=self._clock)
        self._store.callback_secrets = found.secrets
        self._intake = arrival.Intake(self._store.keep, self._metrics)
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

    async def _take_event(self, request: Request) -> Response:
        """A signed webhook of API v2; the answers are those that the vendor documents."""
        if self._store is None or self._keyring.wiring is None:
            return _NOT_WIRED
        async with self._event_room:
            body = await arrival.read_body(
                request.scope, request.receive, most=arrival.MAX_EVENT_BYTES, timeout_s=self._timeout_s
            )
            if not isinstance(body, bytes):
                return self._refuse(body or Refusal.TOO_SLOW)
            configured = self._keyring.wiring.signing_secrets
            found = wiring.verify(body, request.headers, configured, self._store.signing_secrets)
            is_sure = True
            if found in wiring.MAY_BE_NEW:  # a refused event is lost, so the ledger is searched for a new secret first
                is_sure = await self._store.look_for_secrets()
                found = wiring.verify(body, request.headers, configured, self._store.signing_secrets)
            if not isinstance(found, wiring.Signed):
                self._metrics.forged.inc()
                is_refused = is_sure and found != wiring.NOT_CONFIGURED
                return JSONResponse({"error": found}, 401 if is_refused else 503)  # after a 503 it comes again
            if not arrival.is_object(body):
                return JSONResponse({"error": "invalid_body"}, 400)
            if await self._intake.submit(arrival.Arrival(found, body)):
                return JSONResponse({"received": True})
            return self._refuse(Refusal.SPOOL_FULL)

    async def _take_unsigned(self, request: Request) -> Response:
        if self._store is None:
            return _NOT_WIRED
        try:
            await asyncio.wait_for(self._unsigned_room.acquire(), self._timeout_s)
        except TimeoutError:
            return self._refuse(Refusal.NO_ROOM)
        try:
            return await self._take(request.scope, request.receive, ticket=None)
        finally:
            self._unsigned_room.release()

    async def _take(self, scope: Scope, receive: Receive, *, ticket: Ticket | None) -> Response:
        match await arrival.read_body(scope, receive, timeout_s=self._timeout_s):
            case bytes(body):
                if await self._intake.submit(arrival.Arrival(ticket, body)):
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


def spool_name(ledger_url: sa.URL) -> str:
    """The folder of a ledger's callbacks: those of a receiver of another ledger stay apart."""
    place = f"{ledger_url.host}:{ledger_url.port}/{ledger_url.database}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]


class ReceiverApp:
    """The receiver as an app of its own.

    Callbacks do not go through Starlette: its routes and exception handlers cost as much as all the rest of a callback.

    :ivar take: takes a callback without ASGI; see ``receiver.quick``.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.take = receiver.take
        self._receiver = receiver
        self._framework = Starlette(routes=receiver.routes, lifespan=receiver.lifespan)
        self._framework.router.redirect_slashes = False  # a redirect would show the token once more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if is_post and scope["path"].startswith(PATH) and scope["path"].count("/") == 2 and scope["path"] != PATH:
            await self._receiver(scope, receive, send)
        else:
            await self._framework(scope, receive, send)


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
