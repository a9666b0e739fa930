"""Where callbacks are put: into the ledger, or on this machine's disk until the ledger takes them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import DropCowboyError, LedgerError
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.reconcile import Match, reconcile
from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.metrics import Metrics
from airflow_provider_dropcowboy.receiver.spool import Spool

PATIENCE_S: Final = 3.0
"""How long a commit may take before its callbacks go to the disk: the vendor waits 10 s (API v1), and asks once."""

CHUNK_CALLBACKS: Final = 500
LOOK_EVERY_S: Final = 30.0
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

log = logging.getLogger(__name__)
T = TypeVar("T")


class Store:
    """Keeps callbacks for good, one batch at a time.

    :param url: of the ledger; may be set anew, for a password that changed.
    :ivar spooled: callbacks that wait on disk.
    """

    def __init__(self, url: sa.URL, spool: Spool, *, metrics: Metrics) -> None:
        self.url = url
        self._spool = spool
        self._metrics = metrics
        self.spooled = 0
        self._ledger: Ledger | None = None
        self._trouble: str | None = "not opened yet"
        self._chunk_callbacks = CHUNK_CALLBACKS
        self._is_troubled = asyncio.Event()
        # a thread each: a commit that hangs must not keep callbacks from the disk
        self._ledger_thread = ThreadPoolExecutor(1, "dropcowboy-ledger")
        self._disk_thread = ThreadPoolExecutor(1, "dropcowboy-spool")

    @property
    def trouble(self) -> str | None:
        """Why callbacks go to the disk; None: the ledger takes them."""
        return self._trouble

    @property
    def has_room(self) -> bool:
        """Whether a callback that comes now would be kept."""
        return self._ledger is not None or self._spool.has_room

    async def keep(self, arrivals: Sequence[Arrival]) -> bool:
        """The callbacks are on disk, in the ledger or beside it; False: nowhere, there is no room.

        After ``PATIENCE_S`` they are spooled although the ledger may still take them; twice does no harm.
        """
        ledger = self._ledger
        if ledger is not None:
            commit = asyncio.wrap_future(self._ledger_thread.submit(_commit, ledger, arrivals))
            commit.add_done_callback(self._count)
            await asyncio.wait({commit}, timeout=PATIENCE_S)
            if commit.done() and commit.exception() is None:
                return True
            self._lose(ledger, commit.exception() if commit.done() else _SLOW)
            self._is_troubled.set()
        is_kept = await _within(self._disk_thread, self._spool.append, arrivals)
        if is_kept:
            self._metrics.spooled.inc(len(arrivals))
            self._show_spool()
        return is_kept

    async def run(self) -> None:
        """Until cancelled: open the ledger, bring in what waits on disk, look for what dead processes left."""
        pause_s = LOOK_EVERY_S
        while True:
            self._is_troubled.clear()
            is_well = await self._mend()
            if is_well:
                pause_s = LOOK_EVERY_S
            else:
                pause_s = FIRST_PAUSE_S if pause_s == LOOK_EVERY_S else min(2 * pause_s, LONGEST_PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_troubled.wait(), pause_s)

    async def close(self) -> None:
        """What waits on disk stays there for the next process."""
        await _within(self._disk_thread, self._spool.close)
        self._disk_thread.shutdown()
        self._ledger_thread.shutdown(wait=False)
        if self._ledger is not None:
            self._ledger.engine.dispose()

    async def _mend(self) -> bool:
        """Whether the ledger takes callbacks and nothing waits on disk."""
        try:
            await _within(self._disk_thread, self._spool.adopt)
            self._show_spool()
            ledger = self._ledger
            if ledger is None:
                ledger = await _within(self._ledger_thread, open_ledger, self.url)
        except (DropCowboyError, OSError) as error:
            self._tell(error)
            return False
        self._ledger, self._trouble = ledger, None
        while self._ledger is ledger:
            chunk = await _within(self._disk_thread, self._spool.read, self._chunk_callbacks)
            if chunk is None:
                return True
            try:
                self._metrics.stored(await _within(self._ledger_thread, _commit_patiently, ledger, chunk.arrivals))
            except Exception as error:  # noqa: BLE001  # whatever it was, the callbacks wait on disk
                # one that the database does not take holds up the others: fewer at a time, until it is alone
                self._chunk_callbacks = max(1, len(chunk.arrivals) // 8)
                self._lose(ledger, error)
                return False
            self._chunk_callbacks = CHUNK_CALLBACKS
            await _within(self._disk_thread, self._spool.forget, chunk)
            self._show_spool()
            log.info("brought %d spooled callbacks into the ledger", len(chunk.arrivals))
        return False

    def _lose(self, ledger: Ledger, error: BaseException | None) -> None:
        """The ledger is not asked until ``run`` has opened it anew."""
        if self._ledger is ledger:
            self._ledger = None
            self._tell(error)
        ledger.engine.dispose()

    def _tell(self, error: BaseException | None) -> None:
        # only our own texts are sure to hold no person's values
        trouble = str(error) if isinstance(error, DropCowboyError) else type(error).__name__
        if trouble != self._trouble:
            log.warning("callbacks wait on disk: %s", trouble)
        self._trouble = trouble

    def _count(self, commit: "asyncio.Future[Counter[Match]]") -> None:
        if not commit.cancelled() and commit.exception() is None:
            self._metrics.stored(commit.result())

    def _show_spool(self) -> None:
        self.spooled = self._spool.callbacks
        self._metrics.spool(callbacks=self.spooled, size=self._spool.bytes)


_SLOW: Final = LedgerError("The ledger took too long to take callbacks.")


def _commit(ledger: Ledger, arrivals: Sequence[Arrival]) -> Counter[Match]:
    return reconcile(ledger, [arrival.read() for arrival in arrivals])


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


async def _within(executor: Executor, function: Callable[..., T], *arguments: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
