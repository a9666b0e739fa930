"""Where callbacks are put: into the ledger, or on this machine's disk until the ledger stores them."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeVar

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.errors import DropCowboyError, LedgerError
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.embedded import LOCK_TIMEOUT_S
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.webhooks import is_rotating, kept_secrets
from airflow_provider_dropcowboy.receiver.arrival import MAX_BATCH, Arrival, Metrics
from airflow_provider_dropcowboy.receiver.spool import Spool
from airflow_provider_dropcowboy.secret import Secret

PATIENCE_S: Final = 3.0
"""How long a commit may take before its callbacks go to the disk: the vendor waits 10 s (API v1), and asks once."""

HANGING_S: Final = LOCK_TIMEOUT_S + 15.0
"""How long anything else may take at the ledger before its connection is given up."""

LOOK_EVERY_S: Final = 30.0
LOOK_AT_MOST_EVERY_S: Final = 2.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class Store:
    """Keeps callbacks for good, one batch at a time.

    :param url: of the ledger; may be set anew, for a password that changed.
    :ivar spooled: callbacks that wait on disk.
    :ivar callback_secrets: under which the ledger's signing secrets are sealed; may be set anew.
    :ivar signing_secrets: of webhooks, by account, as the ledger has them.
    :ivar trouble: why callbacks go to the disk; None: the ledger stores them.
    """

    def __init__(self, url: sa.URL, spool: Spool, *, metrics: Metrics, clock: Clock = SYSTEM_CLOCK) -> None:
        self.url = url
        self._clock = clock
        self._spool = spool
        self._metrics = metrics
        self.spooled = 0
        self.trouble: str | None = "not opened yet"
        self._ledger: Ledger | None = None
        self.callback_secrets: Collection[Secret] = ()
        self.signing_secrets: Mapping[str, tuple[Secret, ...]] = {}
        self._looked_at = float("-inf")
        self._chunk_callbacks = MAX_BATCH
        self._is_troubled = asyncio.Event()
        # a thread each: a commit that hangs must not keep callbacks from the disk
        self._ledger_thread = _Thread("dropcowboy-ledger")
        self._disk_thread = _Thread("dropcowboy-spool")

    @property
    def spool_problem(self) -> str | None:
        """Why the disk would keep no callback; None: it would, or it was not needed yet."""
        return self._spool.problem

    @property
    def is_ready(self) -> bool:
        """Whether a callback that comes now would be kept, in the ledger or on disk."""
        return self._ledger is not None or self._spool.problem is None

    async def keep(self, arrivals: Sequence[Arrival]) -> bool:
        """The callbacks are on disk, in the ledger or beside it; False: nowhere, there is no room.

        After ``PATIENCE_S`` they are spooled although the ledger may still store them; twice does no harm.
        """
        ledger = self._ledger
        if ledger is not None:
            commit = self._ledger_thread.submit(_commit, ledger, arrivals)
            commit.add_done_callback(self._count)
            await asyncio.wait({commit}, timeout=self._clock.pause_s(PATIENCE_S))
            if commit.done() and commit.exception() is None:
                return True
            if not commit.done():
                self._give_up_thread()
            self._lose(ledger, commit.exception() if commit.done() else _SLOW)
            self._is_troubled.set()
        is_kept = await self._disk_thread.submit(self._spool.append, arrivals)
        if is_kept:
            self._metrics.spooled.inc(len(arrivals))
        self._show_spool()
        return is_kept

    async def look_for_secrets(self) -> bool:
        """Read what signs webhooks, unless that was just done; what cannot be read now stays as it was.

        :returns: whether these are all. If not, an event may be signed by a secret that is not known here.
        """
        ledger, now_s = self._ledger, self._clock.boot_s()
        if ledger is None or now_s - self._looked_at < LOOK_AT_MOST_EVERY_S:
            return False
        self._looked_at = now_s
        try:
            self.signing_secrets = await self._at_ledger(partial(kept_secrets, keys=self.callback_secrets), ledger)
            return not await self._at_ledger(is_rotating, ledger)
        except Exception as error:  # noqa: BLE001  # whatever it was: those that are known still count
            log.warning("the secrets of webhooks could not be read: %s", type(error).__name__)
            return False

    async def run(self) -> None:
        """Until cancelled: open the ledger, bring in what waits on disk, look for what dead processes left."""
        pause_s = LOOK_EVERY_S
        while True:
            self._is_troubled.clear()
            try:
                is_well = await self._mend()
            except Exception as error:  # noqa: BLE001  # any fault at all: if this ended, callbacks would wait for ever
                self._tell(error)
                is_well = False
            if self._ledger is None or self._spool.problem is not None:
                await self._disk_thread.submit(self._spool.check)
            self._show_spool()
            if is_well:
                pause_s = LOOK_EVERY_S
            else:
                pause_s = FIRST_PAUSE_S if pause_s == LOOK_EVERY_S else min(2 * pause_s, LONGEST_PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_troubled.wait(), self._clock.pause_s(pause_s))

    async def close(self) -> None:
        """What waits on disk stays there for the next process. A ledger that hangs is not waited for."""
        await self._disk_thread.submit(self._spool.close)
        if self._ledger is not None:
            self._ledger_thread.submit(self._ledger.engine.dispose)
        self._ledger_thread.end()
        self._disk_thread.end()

    async def _mend(self) -> bool:
        """Whether the ledger stores callbacks and nothing waits on disk."""
        ledger = self._ledger
        if ledger is None:
            ledger = await self._at_ledger(open_ledger, self.url)
        else:
            try:
                await self._at_ledger(_look, ledger)
            except Exception as error:  # noqa: BLE001  # whatever it was, the ledger is opened anew
                self._lose(ledger, error)
                return False
        try:
            await self._disk_thread.submit(self._spool.adopt)
        except OSError as error:
            log.error("the spool of dead processes cannot be looked at: %s", error)
        self._show_spool()
        self._ledger, self.trouble = ledger, None
        await self.look_for_secrets()
        while self._ledger is ledger:
            chunk = await self._disk_thread.submit(self._spool.read, self._chunk_callbacks)
            if chunk is None:
                return True
            try:
                self._metrics.stored(await self._at_ledger(_commit_patiently, ledger, chunk.arrivals))
            except Exception as error:  # noqa: BLE001  # whatever it was, the callbacks wait on disk
                # a callback that the database refuses holds up the others: fewer at a time, until it is alone
                self._chunk_callbacks = max(1, len(chunk.arrivals) // 8)
                self._lose(ledger, error)
                return False
            self._chunk_callbacks = MAX_BATCH
            await self._disk_thread.submit(self._spool.forget, chunk)
            self._show_spool()
            log.info("brought %d spooled callbacks into the ledger", len(chunk.arrivals))
        return False

    async def _at_ledger(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            async with asyncio.timeout(self._clock.pause_s(HANGING_S)):
                return await self._ledger_thread.submit(function, *arguments)
        except TimeoutError:
            self._give_up_thread()
            raise _SLOW from None

    def _give_up_thread(self) -> None:
        """What it waits for may hang for as long as the database does; the next call must not wait behind it."""
        self._ledger_thread.end()
        self._ledger_thread = _Thread("dropcowboy-ledger")

    def _lose(self, ledger: Ledger, error: BaseException | None) -> None:
        """The ledger is not used until ``run`` has opened it anew."""
        if self._ledger is ledger:
            self._ledger = None
            self._tell(error)
        ledger.engine.dispose()

    def _tell(self, error: BaseException | None) -> None:
        # only our own texts are sure to hold no person's values
        trouble = str(error) if isinstance(error, DropCowboyError) else type(error).__name__
        if trouble != self.trouble:
            log.warning("callbacks wait on disk: %s", trouble)
        self.trouble = trouble

    def _count(self, commit: "asyncio.Future[Counter[Match]]") -> None:
        if not commit.cancelled() and commit.exception() is None:
            self._metrics.stored(commit.result())

    def _show_spool(self) -> None:
        self.spooled = self._spool.callbacks
        self._metrics.spool(callbacks=self.spooled, size=self._spool.bytes)


_SLOW: Final = LedgerError("The ledger took too long to store callbacks.")


def _look(ledger: Ledger) -> None:
    """Whether it is still there, and the same one."""
    with ledger.reading() as connection:
        connection.execute(sa.select(sa.literal(1)))


def _commit(ledger: Ledger, arrivals: Sequence[Arrival]) -> Counter[Match]:
    received = [arrival.read() for arrival in arrivals]
    matches = reconcile(ledger, received)
    _warn_of_unreadable(received)
    return matches


def _commit_patiently(ledger: Ledger, arrivals: Sequence[Arrival]) -> Counter[Match]:
    """The batch; one alone that cannot be stored as it is, although the ledger is well, is kept as unreadable."""
    try:
        return _commit(ledger, arrivals)
    except Exception:
        if len(arrivals) > 1:
            raise
    with ledger.writing():
        pass
    try:
        return _commit(ledger, arrivals)
    except Exception as error:  # noqa: BLE001  # whatever it was, the next callbacks must not wait for this one for ever
        log.error("a callback could not be stored as it reads (%s), so it is kept unread", type(error).__name__)
        return reconcile(ledger, [arrival.unread() for arrival in arrivals])


def _warn_of_unreadable(received: Sequence[Received]) -> None:
    """A result comes once: a person should look at a callback that could not be read. One line for each batch."""
    unreadable = [item for item in received if item.callback is None and item.event is None]
    if unreadable:
        named = [item.foreign_id or "no send, by the account's webhook" for item in unreadable[:5]]
        log.warning(
            "callbacks that could not be read: %d. The ledger keeps them as they came, and their results count for "
            "nothing. About: %s%s",
            len(unreadable),
            ", ".join(named),
            ", …" if len(unreadable) > len(named) else "",
        )


class _Thread:
    """Calls functions one after the other. The process may end while one hangs, unlike with a ThreadPoolExecutor."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, function: Callable[..., T], *arguments: object) -> "asyncio.Future[T]":
        """What the function returns, or raises, when its turn has come."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                done = partial(answer.set_result, function(*arguments))
            except BaseException as error:  # noqa: BLE001  # it is raised where the answer is awaited
                done = partial(answer.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(lambda: None if answer.done() else done())

        self._calls.put(call)
        return answer

    def end(self) -> None:
        """After the calls that were submitted."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
