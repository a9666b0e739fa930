"""The stage that reads the rows of a source: it counts those that were sent before, and judges the others."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Order
from airflow_provider_dropcowboy.campaign.judge import LOOK_ROWS, Judge, Named
from airflow_provider_dropcowboy.campaign.messages import Identity
from airflow_provider_dropcowboy.campaign.plan import Rows
from airflow_provider_dropcowboy.campaign.seen import WRITE_ROWS
from airflow_provider_dropcowboy.campaign.shared import Shared, in_thread
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.sends import find_sends
from airflow_provider_dropcowboy.screening.screen import Candidate, Verdict

JUDGE_ROWS: Final = 24
"""Rows judged in the event loop before others have their turn: half a millisecond. In a thread of its own the judge
would take the interpreter from the loop for 5 ms at a time: a quarter of the rate where the vendor is fast."""
MAX_AHEAD_BATCHES: Final = 4
NAME_ROWS: Final = 64
"""As ``JUDGE_ROWS``: rows named in the event loop before others have their turn."""
LOOK_WITHIN_S: Final = 0.2
"""A slow source is not waited for longer than this, plus one row, before what it gave is looked up."""


class Source:
    """The stage that reads rows and judges them, a few batches ahead of the claims. In one event loop.

    :ivar thread: in which the rows are read; it may still be in the user's source when the run is over.
    """

    def __init__(self, shared: Shared, identity: Identity, *, rows: Rows, suppressed: SuppressionList | None) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-read")
        self._judge = Judge(shared.plan, identity, seen=shared.seen)
        self._rows = chain.from_iterable((rows,))  # begun by the reader: the first row may take as long as a query
        self._suppressed = suppressed
        self._shared = shared
        self._tally = shared.tally
        self._batch_rows = shared.plan.concurrency
        self._judged: deque[Candidate] = deque()
        self._is_over = False
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Read to the end, no further ahead than a few batches; whatever the source raises stops the run in order."""
        try:
            if self._suppressed is not None:
                await in_thread(self.thread, partial(self._judge.read_suppressed, self._suppressed))
                self._tally.unreadable_suppressions = self._suppressed.unreadable
            while rows := await in_thread(self.thread, self._next_rows):
                rest = rows if self._shared.run.campaign.is_new else await self._look_up(rows)
                for start in range(0, len(rest), self._batch_rows):
                    await self._judge_rows(rest[start : start + self._batch_rows])
                    await self._keep_verdicts()
                    while len(self._judged) > MAX_AHEAD_BATCHES * self._batch_rows:
                        self._changed.clear()
                        await self._changed.wait()
                await self._keep_verdicts()
        except LedgerError as error:
            self._shared.control.stop(Order("the ledger cannot be reached", error=error))
            return
        except Exception as error:  # noqa: BLE001  # it is the user's
            self._shared.control.stop(Order("the source cannot be read on", error=error))
            return
        self._is_over = True
        self._changed.set()

    async def waiting(self) -> int:
        """How many messages are judged, as soon as they fill a batch or the source is over; 0: none comes any more."""
        while not self._is_over and len(self._judged) < self._batch_rows:
            self._changed.clear()
            await self._changed.wait()
        return len(self._judged)

    @property
    def ready(self) -> int:
        """How many judged messages wait to be claimed."""
        return len(self._judged)

    def take(self, size: int) -> list[Candidate]:
        """The next so many messages, or fewer if there are no more."""
        self._changed.set()
        return [self._judged.popleft() for _ in range(min(size, len(self._judged)))]

    def end(self) -> None:
        """The run stops: nothing that was read is claimed any more."""
        self._judged.clear()
        self._is_over = True
        self._changed.set()

    def _next_rows(self) -> list[Mapping[str, object]]:
        if self._shared.run.campaign.is_new:
            return list(islice(self._rows, self._batch_rows))
        rows: list[Mapping[str, object]] = []
        begun_s = self._shared.clock.boot_s()
        for row in islice(self._rows, LOOK_ROWS):
            rows.append(row)
            if len(rows) >= self._batch_rows and self._shared.clock.boot_s() - begun_s > LOOK_WITHIN_S:
                break
        return rows

    async def _look_up(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """The rows that are to be judged. Those that were sent before are counted, and others are not this task's."""
        named: list[Named] = []
        for start in range(0, len(rows), NAME_ROWS):
            named += self._judge.name(rows[start : start + NAME_ROWS])
            await asyncio.sleep(0)
        names = [name for each in named for name in each.names]
        try:
            sends = await in_thread(self.thread, partial(find_sends, self._shared.ledger, names))
        except LedgerError:
            return [each.row for each in named]  # the claim looks again, and knows how to wait
        sent, repeated, rest = self._judge.set_apart(named, sends, run_id=self._shared.run.id)
        self._tally.read += len(sent) + len(repeated)
        for each in sent:
            self._tally.count_sent(each.found)
        self._count(repeated)
        return rest

    async def _judge_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        for start in range(0, len(rows), JUDGE_ROWS):
            some = rows[start : start + JUDGE_ROWS]
            batch = self._judge.judge(some)
            self._tally.read += len(some) - batch.elsewhere
            self._count(batch.verdicts)
            self._judged += batch.candidates
            self._changed.set()
            await asyncio.sleep(0)

    def _count(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self._tally.count(verdict.state, verdict.reason)
            self._shared.not_sent.add_verdict(verdict)

    async def _keep_verdicts(self) -> None:
        """Write down the verdicts so far; the reader waits for it, so that memory holds a few batches of them."""
        rows = self._shared.not_sent.take(at_least=WRITE_ROWS)
        if rows:
            await in_thread(self.thread, partial(self._shared.not_sent.keep, rows))
