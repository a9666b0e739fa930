"""The stages of a run at work at once: read, claim, send, record, each a batch ahead of the next."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.campaign.claiming import Claiming
from airflow_provider_dropcowboy.campaign.control import Order, paused
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.progress import Progress
from airflow_provider_dropcowboy.campaign.recording import Recording
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.shared import Shared, in_thread
from airflow_provider_dropcowboy.campaign.source import Source
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import InterruptedRunError, LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.limits import seek_share
from airflow_provider_dropcowboy.ledger.runs import beat
from airflow_provider_dropcowboy.ledger.suppressions import find_suppressed
from airflow_provider_dropcowboy.transport.bulk import BulkSender

BEAT_S: Final = 1.0
WAIT_FOR_CONNECTIONS_S: Final = 1.0

log = logging.getLogger(__name__)


class Pipeline:
    """One run, from its rows to its records. ``run`` is called once, in an event loop of its own thread."""

    def __init__(
        self, shared: Shared, judge: Judge, *, rows: Rows, suppressed: SuppressionList | None, progress: Progress
    ) -> None:
        self._shared = shared
        self._source = Source(shared, judge, rows=rows, suppressed=suppressed)
        self._sending = Sending(shared)
        self._claiming = Claiming(shared, self._source, self._sending)
        self._recording = Recording(shared)
        self._heartbeat = Heartbeat(shared, self._sending, progress)
        self._settling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Every claim it made is recorded when it ends; ``Control.order`` says whether it was stopped early."""
        shared, plan = self._shared, self._shared.plan
        loop = asyncio.get_running_loop()
        wire = BulkSender(
            plan.account,
            connections=plan.concurrency,
            timeout_s=plan.timeout_s,
            verify=plan.verify,
            clock=shared.clock,
            on_doubt=self._recording.take_back,
        )
        await shared.adjust()
        async with wire, asyncio.TaskGroup() as stages:
            self._reading = stages.create_task(self._source.read())
            self._sending.start(wire, stages)
            others = [
                stages.create_task(stage)
                for stage in (self._claiming.claim_retries(), self._recording.record(), self._heartbeat.beat())
            ]
            claiming = stages.create_task(self._claiming.claim())
            shared.control.listen(lambda order: loop.call_soon_threadsafe(self._obey, order))
            try:
                await claiming
                await shared.in_flight.is_gone()
                # the last answer of each connection: whether it is the request's own shows in the next moments
                self._settling = stages.create_task(wire.settle())
                await asyncio.wait({self._settling})
                await shared.in_flight.is_gone()
            finally:
                shared.control.listen(None)  # the loop ends here, and nobody may call into it any more
            self._sending.end()
            for task in (self._reading, *others):
                task.cancel()

    def close(self) -> None:
        """Wait for the threads. The reader may still be in the user's source: nobody may close that before."""
        for stage in (self._source, self._claiming, self._recording, self._heartbeat):
            stage.thread.shutdown()

    def _obey(self, order: Order) -> None:
        """What is not written yet is released at once; what is under way is awaited."""
        log.warning("campaign %s: stopping: %s", self._shared.plan.campaign, order.reason)
        self._reading.cancel()
        self._source.end()
        self._sending.release_unwritten()
        if order.grace_s is not None:
            asyncio.get_running_loop().call_later(order.grace_s, self._cut_off)

    def _cut_off(self) -> None:
        self._sending.cut_off()
        if self._settling is not None:
            self._settling.cancel()


def wait_for_connections(shared: Shared) -> None:
    """Wait until the run has a share of the account's connections, one at least.

    :raises InterruptedRunError: the run was stopped meanwhile; nothing was sent.
    """
    limit, is_told = shared.plan.max_concurrency, False
    while not (connections := seek_share(shared.ledger, shared.run, limit=limit, using=0)):
        if not is_told:
            log.info("other runs use all %d connections of the account; waiting for a share", limit)
            is_told = True
        if shared.control.wait(WAIT_FOR_CONNECTIONS_S):
            raise InterruptedRunError("The run was stopped while it waited for a free connection. Nothing was sent.")
        beat(shared.ledger, shared.run, counts={})
    shared.pace.limit = connections


class Heartbeat:
    """Once a second: tells the ledger that the run lives, and the run what its claims that wait must know.

    :ivar thread: in which the ledger is asked.
    """

    def __init__(self, shared: Shared, sending: Sending, progress: Progress) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-beat")
        self._shared = shared
        self._sending = sending
        self._progress = progress

    async def beat(self) -> None:
        """Beat until the run is over, or the ledger's file is lost."""
        shared = self._shared
        while True:
            await asyncio.sleep(BEAT_S)
            retrying = len(shared.retries)
            self._progress.tell(in_flight=shared.in_flight.claims - retrying, retrying=retrying)
            beat_once = partial(self._beat_once, shared.tally.as_counts(), self._sending.waiting_numbers())
            try:
                pause, suppressed, connections = await in_thread(self.thread, beat_once)
            except LedgerReplacedError as error:
                shared.control.stop(Order("the ledger's file was lost", error=error))
                return
            except LedgerError:
                log.warning("the ledger did not take a heartbeat; claims and records will tell if it stays away")
                continue
            self._sending.hold_back(suppressed)
            shared.pace.limit = connections
            if pause is not None:
                shared.control.stop(paused(pause))
            await shared.adjust()

    def _beat_once(self, counts: Mapping[str, int], numbers: Sequence[str]) -> tuple[str | None, frozenset[str], int]:
        """A pause, opt-outs among these numbers, and the run's connections from now on."""
        ledger, run, pace = self._shared.ledger, self._shared.run, self._shared.pace
        suppressed = find_suppressed(ledger, numbers)
        pause = beat(ledger, run, counts=counts)
        using = max(pace.limit, pace.in_flight)
        return pause, suppressed, seek_share(ledger, run, limit=self._shared.plan.max_concurrency, using=using)
