"""From rows to messages and verdicts: reading the source, screening and composing."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Final, TypeVar

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.compose import Composer
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Contact, Unusable
from airflow_provider_dropcowboy.contacts.mapping import ContactReader
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.screening.consent import Consent, Kinds, has_consent, read_kinds, unmet
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.screening.verdict import Verdict
from airflow_provider_dropcowboy.states import State

STATE_BAN: Final = "state_ban"
"""Begins the reason of a row whose state bans the message."""
NO_CONSENT: Final = "no consent"
"""Begins the reason of a row without the consent that the law of its place wants."""
JUDGE_ROWS: Final = 8
"""Rows judged in the event loop before others have their turn: half a millisecond. In a thread of its own the judge
would take the interpreter from the loop for 5 ms at a time: a quarter of the rate where the vendor is fast."""
MAX_AHEAD_BATCHES: Final = 2

T = TypeVar("T")
_SUPPRESSED: Final = "!"  # begins the names of suppressed numbers
Rows = Iterable[Mapping[str, object]]


@dataclass(slots=True)
class Batch:
    """Rows that were judged together: those to ask for, and those not.

    :ivar elsewhere: rows of another partition.
    """

    messages: list[Message] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    elsewhere: int = 0


class Judge:
    """Judges the rows of a source once, in their order. Used by one thread at a time."""

    def __init__(self, plan: Plan, identity: Identity, *, seen: Seen) -> None:
        self._plan = plan
        self._reader = ContactReader(plan.columns)
        self._composer = Composer(plan.template, identity, caps=plan.caps)
        self._identity = identity
        self._seen = seen
        self._has_list = False

    def read_suppressed(self, numbers: SuppressionList) -> None:
        """Keep the list's numbers, as digests on disk. Before any row.

        :raises ConfigurationError: the list cannot be read as one of numbers; nobody may be contacted.
        """
        for phone in numbers:
            self._seen.add(_SUPPRESSED + self._identity.number_digest(phone))
        self._has_list = numbers.numbers > 0

    def judge(self, rows: Rows) -> Batch:
        """The rows' messages and verdicts; a row of another partition has neither.

        :raises ConfigurationError: the source lacks a column.
        """
        batch = Batch()
        for row in rows:
            item = self._judge(row)
            if isinstance(item, Message):
                batch.messages.append(item)
            elif item is not None:
                batch.verdicts.append(item)
            else:
                batch.elsewhere += 1
        return batch

    def close(self, message: Message) -> Message:
        """The message, held until its calling hours open again: they ended after it was screened."""
        hours, closes_at = self._plan.hours, message.closes_at
        assert hours is not None
        assert closes_at is not None
        at = max(utcnow(), closes_at)  # the ledger's clock, which found it closed, may be ahead of this one
        ruling = hours.judge(message.phone.e164, postal_code=message.postal_code, at=at)
        opens_at = at if ruling.is_open else ruling.opens_at
        return replace(message, stop=(State.HELD, f"calling hours: {ruling.rule}"), opens_at=opens_at)

    def _judge(self, row: Mapping[str, object]) -> Message | Verdict | None:
        contact = self._reader.read(row)
        partition = self._plan.partition
        if partition is not None and not partition.has(contact.key):
            return None
        if isinstance(contact, Unusable):
            return Verdict(State.INVALID, contact.reason, contact.key)
        message = self._composer.compose(contact)
        if isinstance(message, Unusable):
            return Verdict(State.INVALID, message.reason, message.key)
        if not self._seen.add(message.foreign_id):
            return Verdict(State.DUPLICATE, "the same key came before", contact.key)
        if self._plan.earlier_runs:  # an earlier wave may have known it by another name
            for name in message.earlier_ids:
                self._seen.add(name)
        return self._screen(contact, message)

    def _screen(self, contact: Contact, message: Message) -> Message:
        """The message, stopped by the first rule that applies; the ledger may know that it was asked for before."""
        if not self._has_consent(contact.row):
            return replace(message, stop=(State.SUPPRESSED, f"no consent in {self._plan.opt_in_column}"))
        if self._has_list and self._seen.has(_SUPPRESSED + message.number_digest):
            return replace(message, stop=(State.SUPPRESSED, "on the suppression list"))
        hours = self._plan.hours
        if hours is None:
            return message
        ruling = hours.judge(contact.phone.e164, postal_code=contact.postal_code, at=utcnow())
        if ruling.is_banned:
            return replace(message, stop=(State.SUPPRESSED, f"{STATE_BAN}: {ruling.rule}"))
        rule = ruling.rule
        if ruling.needs:
            given = self._consent_of(contact.row)
            if need := unmet(ruling.needs, given):
                return replace(message, stop=(State.SUPPRESSED, f"{NO_CONSENT}: {need}; calling hours {hours.version}"))
            rule += f"; consent: {', '.join(sorted(given))}"
        if not ruling.is_open:
            return replace(message, stop=(State.HELD, f"calling hours: {ruling.rule}"), opens_at=ruling.opens_at)
        return replace(message, closes_at=ruling.closes_at, rule=rule, caps=message.caps + ruling.caps)

    def _has_consent(self, row: Mapping[str, object]) -> bool:
        column = self._plan.opt_in_column
        return column is None or has_consent(_cell(row, column))

    def _consent_of(self, row: Mapping[str, object]) -> Kinds:
        """The kinds that the row's person gave. A yes in ``opt_in_column`` is express; no text goes without one."""
        is_express = self._plan.opt_in_column is not None or self._plan.channel is Channel.SMS
        column = self._plan.consent_column
        named = frozenset[Consent]() if column is None else read_kinds(_cell(row, column))
        return named | {Consent.EXPRESS} if is_express else named


def _cell(row: Mapping[str, object], column: str) -> object:
    return row[column] if column in row else row[find_column(column, row)]


class Source:
    """The stage that reads rows and judges them, a few batches ahead of the claims. In one event loop.

    :ivar thread: in which the rows are read; it may still be in the user's source when the run is over.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        rows: Rows,
        suppressed: SuppressionList | None,
        batch_rows: int,
        control: Control,
        tally: Tally,
    ) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-read")
        self._judge = judge
        self._rows = chain.from_iterable((rows,))  # begun by the reader: the first row may take as long as a query
        self._suppressed = suppressed
        self._batch_rows = batch_rows
        self._control = control
        self._tally = tally
        self._judged: deque[Message] = deque()
        self._is_over = False
        self._changed = asyncio.Event()

    async def read(self) -> None:
        """Read to the end, no further ahead than a few batches; whatever the source raises stops the run in order."""
        try:
            if self._suppressed is not None:
                await in_thread(self.thread, partial(self._judge.read_suppressed, self._suppressed))
                self._tally.unreadable_suppressions = self._suppressed.unreadable
            while rows := await in_thread(self.thread, self._next_rows):
                await self._judge_rows(rows)
                while len(self._judged) > MAX_AHEAD_BATCHES * self._batch_rows:
                    self._changed.clear()
                    await self._changed.wait()
        except Exception as error:  # noqa: BLE001  # it is the user's
            self._control.stop(Order("the source cannot be read on", error=error))
            return
        self._is_over = True
        self._changed.set()

    async def waiting(self) -> int:
        """How many messages are judged, as soon as they fill a batch or the source is over; 0: none comes any more."""
        while not self._is_over and len(self._judged) < self._batch_rows:
            self._changed.clear()
            await self._changed.wait()
        return len(self._judged)

    def take(self, size: int) -> list[Message]:
        """The next so many messages, or fewer if the run was stopped meanwhile."""
        self._changed.set()
        return [self._judged.popleft() for _ in range(min(size, len(self._judged)))]

    def end(self) -> None:
        """The run stops: nothing that was read is claimed any more."""
        self._judged.clear()
        self._is_over = True
        self._changed.set()

    def _next_rows(self) -> list[Mapping[str, object]]:
        return list(islice(self._rows, self._batch_rows))

    async def _judge_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        for start in range(0, len(rows), JUDGE_ROWS):
            some = rows[start : start + JUDGE_ROWS]
            batch = self._judge.judge(some)
            self._tally.read += len(some) - batch.elsewhere
            for verdict in batch.verdicts:
                self._tally.count(verdict.state, verdict.reason)
            self._judged += batch.messages
            self._changed.set()
            await asyncio.sleep(0)


async def in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What ``work`` returns, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)
