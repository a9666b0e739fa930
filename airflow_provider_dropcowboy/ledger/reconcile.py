"""Callbacks: every one is kept, and the send it is about moves on."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import Callback, Event, Reading, Result
from airflow_provider_dropcowboy.ledger.batch import as_parameter, names
from airflow_provider_dropcowboy.ledger.campaigns import book, book_extra
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.limits import stop_runs
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, SENDS, may_become
from airflow_provider_dropcowboy.ledger.statements import LockedSend, finals, keep_callbacks, locked_sends
from airflow_provider_dropcowboy.ledger.suppressions import suppress_number
from airflow_provider_dropcowboy.ledger.webhooks import match_events, phones_in
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.states import OPEN, State, may_move

log = logging.getLogger(__name__)


class Match(StrEnum):
    """What a callback came to."""

    APPLIED = "applied"
    REPEATED = "repeated"  # the same result again
    CONFLICT = "conflict"  # another result of a send that has one; the first is kept
    UNMATCHED = "unmatched"  # about no send of this ledger, or about another number
    UNREADABLE = "unreadable"


@row_value()
class Received:
    """A callback as it came in.

    :param foreign_id: from the token where there is one, else from the payload.
    :param attempt: of the token; None: it came without one, through the account-wide webhook.
    :param callback: None: the payload cannot be read, or it is an event that is no result.
    :param event: of a signed webhook, which names no send: it is looked for.
    """

    foreign_id: str | None
    attempt: int | None
    callback: Callback | None
    payload: str = field(repr=False)
    event: Event | None = None


def reconcile(ledger: Ledger, received: Sequence[Received]) -> Counter[Match]:
    """Keep callbacks and move their sends, in one transaction that is on disk when this returns.

    Any state in which a request was made moves to delivered or failed; from released and rejected it also proves
    that an answer was misread, which is reported loudly, as is a result of an earlier request. Doing it twice does no
    harm: nothing moves, counts or costs twice.

    :param received: payloads without NUL, and foreign_ids that are short: no database stores or indexes others.
    :raises LedgerError: not known whether they are on disk: call again.
    """
    with ledger.writing() as connection:
        received = _of_events(connection, ledger.key, received)
        work = _Work(connection, ledger.key)
        work.lock(item.foreign_id for item in received if item.foreign_id)
        matches = [work.apply(item) for item in received]
        work.flush()
        kept = as_parameter(_kept(item, match) for item, match in zip(received, matches, strict=True))
        connection.execute(keep_callbacks(connection.dialect.name), {"rows": kept, "received_at": work.at})
    return Counter(matches)


class _Work:
    """One transaction's callbacks: the usual ones are moved together, the others one by one."""

    def __init__(self, connection: sa.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self._sends: dict[str, LockedSend] = {}
        self._moves: list[tuple[object, ...]] = []
        self._costs: dict[int, tuple[int, int]] = {}
        self._told: set[tuple[str, str]] = set()

    def lock(self, foreign_ids: Iterable[str]) -> None:
        """Hold the sends, in one order: two receivers and a sender do not wait for each other in a circle.

        The database's clock is read with them.
        """
        dialect = self._connection.dialect.name
        which = {"foreign_ids": names(sorted(set(foreign_ids)), dialect)}
        rows = self._connection.execute(locked_sends(dialect), which).all()
        self.at: datetime = rows[-1].at if rows and dialect == "postgresql" else now(self._connection)
        self._sends = {row.foreign_id: LockedSend.of(row) for row in rows}

    def apply(self, item: Received) -> Match:
        """What the callback comes to; its send moves at the next ``flush`` at the latest."""
        callback = item.callback
        if item.event is not None and callback is None:
            return self._heed(item.event)
        if callback is None:
            return Match.UNREADABLE
        send = self._sends.get(item.foreign_id or "")
        if send is None or not send.is_named_by(callback, self._key, is_verified=item.attempt is not None):
            if send is not None and item.attempt is not None:
                log.error(_OTHER_NUMBER, send.foreign_id)
            return Match.UNMATCHED
        has_result = send.state in {State.DELIVERED, State.FAILED}
        if item.event is not None and has_result and send.drop_id != callback.drop_id:
            return Match.UNMATCHED  # another result came since the send was looked for
        reading = send.read(callback)
        if reading is None:
            return Match.UNREADABLE
        if reading.suppresses:
            suppress_number(self._connection, send.number_digest, send.phone_number, source="callback", at=self.at)
        if not reading.is_known:
            log.warning("send %s: a result that the vendor does not document: %s", send.foreign_id, reading.reason)
        if reading.result in _NOT_SENT and (item.event is None or reading.result is Result.FAULT):
            return self._free(send, item, reading)
        if reading.result in _NOT_SENT and send.state in OPEN:
            return Match.REPEATED  # the callback of this drop has freed the message, and nothing was sent for it
        if reading.result is Result.REFUSED:
            stop_runs(self._connection, send.run_id, reason=reading.reason)
        # a webhook names no send: what it says proves too little to send again, so the message counts as failed
        target = State.DELIVERED if reading.result is Result.DELIVERED else State.FAILED
        if has_result:
            return self._judge_second(send, item, callback=callback, target=target)
        if send.state in OPEN:
            self._reopen(send, target)
        elif item.attempt is not None and item.attempt < send.request:
            log.error("send %s: a result of an earlier request: the person may be contacted twice", send.foreign_id)
            self._remember(send, "a result of an earlier request", target, reason=None)
        cost = None if callback.cost_usd is None else int(callback.cost_usd * 1_000_000)
        reason, network = reading.reason or None, callback.network_name
        self._moves.append((send.foreign_id, target.value, reason, callback.drop_id, cost, network))
        if cost is not None:
            self._count_cost(send, cost, sends=1)
        send.state, send.drop_id = target, callback.drop_id
        return Match.APPLIED

    def flush(self) -> None:
        """Move the sends whose callbacks were applied."""
        if self._moves:
            parameters = {"rows": as_parameter(self._moves), "final_at": self.at}
            self._connection.execute(finals(self._connection.dialect.name), parameters)
            self._moves.clear()
        for campaign_id, (cost, sends) in sorted(self._costs.items()):
            book_extra(self._connection, campaign_id, cost_micros=cost, sends=sends)
        self._costs.clear()

    def _free(self, send: LockedSend, item: Received, reading: Reading) -> Match:
        """Nothing was sent, says the result: the message was refused, or the account, or a request of ours was wrong.

        A result of an earlier key frees nothing: it is why there is another key. What was resent stays in doubt.
        """
        if reading.result is Result.FAULT:
            log.error("send %s: a request of this package was wrong: %s", send.foreign_id, reading.reason)
            self._remember(send, "a wrong request", send.state, reason=reading.reason)
            return Match.CONFLICT
        if reading.result is Result.REFUSED:
            stop_runs(self._connection, send.run_id, reason=reading.reason)
        freed = State.REJECTED if reading.result is Result.REJECTED else State.RELEASED
        target = State.UNKNOWN if send.is_resent else freed
        # a failed one moves only by the callback of the very drop whose webhook was faster
        drop_id = item.callback.drop_id if item.callback else None
        if send.state is State.FAILED and (drop_id is None or drop_id != send.drop_id):
            return Match.REPEATED
        if item.attempt != send.request or not may_move(send.state, target):
            return Match.REPEATED
        self.flush()
        moved = self._connection.execute(
            _update(send)
            .where(SENDS.c.state == send.state, may_become(target))
            .values(state=target.value, reason=reading.reason, owns_number=send.is_resent, final_at=self.at)
        )
        if moved.rowcount and not send.is_resent:
            book(self._connection, send.campaign_id, sends=-1)
        send.state = target
        return Match.APPLIED

    def _count_cost(self, send: LockedSend, cost: int, *, sends: int) -> None:
        """Its campaign's budget learns it at the next ``flush``."""
        before = self._costs.get(send.campaign_id, (0, 0))
        self._costs[send.campaign_id] = (before[0] + cost, before[1] + sends)

    def _reopen(self, send: LockedSend, target: State) -> None:
        """Its answer said that it was not accepted; it was."""
        log.error("send %s was %s and has a result now: an answer was misread", send.foreign_id, send.state)
        self._remember(send, "a result although not accepted", target, reason=None)
        book(self._connection, send.campaign_id, sends=1)
        is_owned = sa.exists().where(
            _OTHERS.c.campaign_id == send.campaign_id,
            _OTHERS.c.number_digest == send.number_digest,
            _OTHERS.c.owns_number,
        )
        self._connection.execute(_update(send).values(owns_number=~is_owned))

    def _judge_second(self, send: LockedSend, item: Received, *, callback: Callback, target: State) -> Match:
        """A result of a send that has one: the first is kept; another drop was billed on top."""
        is_other_drop = callback.drop_id is not None and send.drop_id is not None and callback.drop_id != send.drop_id
        if not is_other_drop and target is send.state:
            self._learn_cost(send, callback)
            return Match.REPEATED
        if self._is_told(send.foreign_id, item.payload):
            return Match.REPEATED
        event = "a second drop" if is_other_drop else "a contradicting result"
        log.warning("send %s: %s", send.foreign_id, event)
        self._remember(send, event, target, reason=callback.reason or None)
        if is_other_drop and callback.cost_usd:
            self.flush()
            cost = int(callback.cost_usd * 1_000_000)
            total = sa.func.coalesce(SENDS.c.cost_micros, 0) + cost
            self._connection.execute(_update(send).values(cost_micros=total))
            self._count_cost(send, cost, sends=0)
        return Match.CONFLICT

    def _learn_cost(self, send: LockedSend, callback: Callback) -> None:
        """What the first result did not say: a webhook names no cost."""
        if callback.cost_usd is None or callback.drop_id is None or callback.drop_id != send.drop_id:
            return
        self.flush()
        cost = int(callback.cost_usd * 1_000_000)
        learned = self._connection.execute(
            _update(send).where(SENDS.c.cost_micros.is_(None)).values(cost_micros=cost, network=callback.network_name)
        )
        if learned.rowcount:
            self._count_cost(send, cost, sends=1)

    def _is_told(self, foreign_id: str, payload: str) -> bool:
        """Whether this very conflict is in the ledger, or will be with this transaction: its drop is billed once."""
        if (foreign_id, payload) in self._told:
            return True
        self._told.add((foreign_id, payload))
        is_kept = sa.exists().where(
            CALLBACKS.c.foreign_id == foreign_id,
            CALLBACKS.c.match == Match.CONFLICT.value,
            CALLBACKS.c.payload == payload,
        )
        return bool(self._connection.execute(sa.select(is_kept)).scalar_one())

    def _heed(self, event: Event) -> Match:
        """An event that is no result: after an opt-out its person is not called again."""
        for phone in (phones := phones_in(event)):
            suppress_number(self._connection, number_digest(self._key, phone), phone.e164, source="webhook", at=self.at)
        if event.opted_out and not phones:
            log.error("event %s (%s): a person opted out, and no number can be read of it", event.event_id, event.name)
        return Match.APPLIED if phones else Match.UNMATCHED

    def _remember(self, send: LockedSend, event: str, target: State, *, reason: str | None) -> None:
        self._connection.execute(
            HISTORY.insert().values(
                foreign_id=send.foreign_id,
                at=self.at,
                event=event,
                state_before=send.state.value,
                state_after=target.value,
                attempt=send.attempt,
                run_id=send.run_id,
                reason=reason,
            )
        )


def _update(send: LockedSend) -> sa.Update:
    return SENDS.update().where(SENDS.c.foreign_id == send.foreign_id)


def _of_events(connection: sa.Connection, key: bytes, received: Sequence[Received]) -> Sequence[Received]:
    """Callbacks, and events that were not seen before, with the send that each is about, if it is one."""
    events = {item.event.event_id: item.event for item in received if item.event is not None}
    if not events:
        return received
    new = match_events(connection, key, events.values(), at=now(connection))
    kept = [item for item in received if item.event is None]
    return kept + [
        # of a callback that is twice in the batch, the last
        replace(item, foreign_id=new.pop(item.event.event_id))
        for item in reversed(received)
        if item.event is not None and item.event.event_id in new
    ]


def _kept(item: Received, match: Match) -> tuple[object, ...]:
    status = item.callback.status.value if item.callback else None
    return item.foreign_id, item.attempt, item.attempt is not None, status, match.value, item.payload


_OTHER_NUMBER: Final = (
    "send %s: its result names another number, and is kept unmatched. With contact_id_column: this contact has another "
    "number at Drop Cowboy than in the source, and nobody screened it"
)
_NOT_SENT: Final = frozenset({Result.REJECTED, Result.REFUSED, Result.FAULT})
_OTHERS: Final = SENDS.alias("others")
