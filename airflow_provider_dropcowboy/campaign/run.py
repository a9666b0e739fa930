"""One run of a campaign: its stages at work at once, and the waves of runs that a task may need."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from airflow_provider_dropcowboy.campaign.beginning import Begun, begin, old_objects_left_alone
from airflow_provider_dropcowboy.campaign.claiming import Claiming
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.ending import balance, conclude, leave
from airflow_provider_dropcowboy.campaign.heartbeat import Heartbeat, Progress, Watch, wait_for_connections
from airflow_provider_dropcowboy.campaign.plan import GRACE_S, Plan, Rows
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.shared import Shared
from airflow_provider_dropcowboy.campaign.source import Source
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.transport.bulk import BulkSender

log = logging.getLogger(__name__)


def run_campaign(
    plan: Plan,
    ledger: Ledger,
    *,
    rows: Rows,
    control: Control,
    suppressed: SuppressionList | None = None,
    tell: Callable[[Summary], object] | None = None,
    watch: Watch | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Summary:
    """Send a message for each row that no earlier run sent, and write down what came of it.

    Safe to call again, at the same time, and after a crash: no message that was sent, or may have been, is sent again.

    :param rows: of contacts, read once, in a thread of their own.
    :param suppressed: numbers that are not contacted; read whole before the first contact.
    :param control: stops the run from any thread.
    :param tell: hears the summary also of a run that is to fail.
    :param watch: is called about once a second with the state of the run, in a thread of the run; it must be quick.
    :param clock: of this machine; the leases of claims and the end of calling hours go by it.
    :returns: counts that add up to the rows read.
    :raises NotTakenError: some messages were not sent: try again.
    :raises NothingSentError: nothing was sent, and the plan says to fail then.
    :raises NothingAcceptedError: each message was refused or is in doubt, however few they are.
    :raises DropCowboyError: what stopped the run, else.
    """
    begun = begin(plan, ledger, rows=rows, clock=clock)
    started_s = clock.boot_s()
    with closing(Shared(plan=plan, ledger=ledger, run=begun.run, control=control, clock=clock)) as shared:
        pipeline = Pipeline(
            shared,
            begun,
            rows=rows,
            suppressed=suppressed,
            progress=Progress(shared.tally, expected=begun.expected, watch=watch, clock=clock),
        )
        failure: BaseException | None = None
        try:
            wait_for_connections(shared)
            _run_in_thread(pipeline, control)
            balance(shared)
        except BaseException as error:
            failure = error
            raise
        finally:
            # first the ledger: a reader that is deep in the user's database may be waited for until this is killed
            leave(shared, failure=failure)
            pipeline.close()
    return conclude(shared, seconds=clock.boot_s() - started_s, tell=tell)


class Pipeline:
    """One run, from its rows to its records. ``run`` is called once, in an event loop of its own thread."""

    def __init__(
        self, shared: Shared, begun: Begun, *, rows: Rows, suppressed: SuppressionList | None, progress: Progress
    ) -> None:
        self._shared = shared
        self._source = Source(shared, begun.identity, rows=rows, suppressed=suppressed)
        self._sending = Sending(shared)
        self._claiming = Claiming(shared, self._source, self._sending)
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
            on_doubt=self._claiming.take_back,
        )
        await shared.adjust()
        async with wire, asyncio.TaskGroup() as stages:
            self._reading = stages.create_task(self._source.read())
            self._sending.start(wire, stages)
            others = [
                stages.create_task(stage)
                for stage in (self._claiming.claim_retries(), self._claiming.record(stages), self._heartbeat.beat())
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
        for thread in (self._source.thread, *self._claiming.threads, self._heartbeat.thread):
            thread.shutdown()

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


@dataclass(frozen=True, slots=True)
class Waves:
    """What the earlier waves of a task left for the next one.

    :param begun_at: when the first wave began; aware.
    :param run_ids: of the earlier waves, in the ledger.
    :param asked: messages that they sent.
    :param already: rows that were contacted before the first of them; None: there was none yet.
    """

    begun_at: datetime
    run_ids: tuple[int, ...] = ()
    asked: int = 0
    already: int | None = None
    seconds: float = 0.0

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """As :meth:`stored` gave it."""
        begun_at, run_ids = datetime.fromisoformat(stored["begun_at"]), tuple(stored["run_ids"])
        return cls(begun_at, run_ids, stored["asked"], stored["already"], stored["seconds"])

    def stored(self) -> dict[str, object]:
        """Plain values to keep while the task waits: no number, no text, no secret."""
        return {
            "begun_at": self.begun_at.isoformat(),
            "run_ids": list(self.run_ids),
            "asked": self.asked,
            "already": self.already,
            "seconds": self.seconds,
        }

    def after(self, summary: Summary) -> Self:
        """One more wave is over."""
        run_ids = self.run_ids if summary.run_id is None else (*self.run_ids, summary.run_id)
        already = summary.already if self.already is None else self.already
        return replace(
            self,
            run_ids=run_ids,
            asked=self.asked + summary.asked,
            already=already,
            seconds=self.seconds + summary.seconds,
        )

    def total(self, summary: Summary) -> Summary:
        """The task's result: where the rows stand after this wave, and what all its waves sent."""
        done = self.after(summary)
        assert done.already is not None
        return replace(summary, asked=done.asked, already=done.already, seconds=done.seconds)


def _run_in_thread(pipeline: Pipeline, control: Control) -> None:
    """The engine has a thread of its own: ``execution_timeout`` and signals raise anywhere in the main one."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(pipeline.run())
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            failures.append(error)

    thread = threading.Thread(target=work, name="dropcowboy-engine")
    try:
        with old_objects_left_alone():
            thread.start()
            thread.join()
    except BaseException:
        control.stop(Order("the task was interrupted", grace_s=GRACE_S))
        if thread.ident is not None:
            thread.join()
        raise
    if failures:
        raise failures[0]
