"""Callbacks: every one is kept, and the send it is about moves on."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import Callback, Reading, Result
from airflow_provider_dropcowboy.api.versions import DEFAULT, KEYED
from airflow_provider_dropcowboy.ledger.batch import as_parameter, names
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.limits import book, book_extra
from airflow_provider_dropcowboy.ledger.runs import REFUSED
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, RUNS, SENDS, SUPPRESSIONS, may_become
from airflow_provider_dropcowboy.ledger.statements import finals, keep_callbacks, locked_sends
from airflow_provider_dropcowboy.phone import Phone, PhoneError
from airflow_provider_dropcowboy.states import OPEN, State, sources_of

log = logging.getLogger(__name__)


class Match(StrEnum):
    """What a callback came to."""

    APPLIED = "applied"
    REPEATED = "repeated"  # the same result again
    CONFLICT = "conflict"  # another result of a send that has one; the first is kept
    UNMATCHED = "unmatched"  # about no send of this ledger, or about another number
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Received:
    """A callback as it came in.

    :param foreign_id: from the token where there is one, else from the payload.
    :param attempt: of the token; None: it came without one, through the account-wide webhook.
    :param callback: None: the payload cannot be read.
    """

    foreign_id: str | None
    attempt: int | None
    callback: Callback | None
    payload: str = field(repr=False)


def reconcile(ledger: Ledger, received: Sequence[Received]) -> Counter[Match]:
    """Keep callbacks and move their sends, in one transaction that is on disk when this returns.

    Any state in which a message was asked for moves to delivered or failed; from released and rejected it also proves
    that an answer was misread, which is reported loudly, as is a result of an earlier request. Doing it twice does no
    harm: nothing moves, counts or costs twice.

    :param received: payloads without NUL, and foreign_ids that are short: no database stores or indexes others.
    :raises LedgerError: not known whether they are on disk: call again.
    """
    with ledger.writing() as connection:
        work = _Work(connection, ledger.key)
        work.lock(item.foreign_id for item in received if item.foreign_id)
        matches = [work.apply(item) for item in received]
        work.flush()
        kept = as_parameter(_kept(item, match) for item, match in zip(received, matches, strict=True))
        connection.execute(keep_callbacks(connection.dialect.name), {"rows": kept, "received_at": work.at})
    return Counter(matches)


@dataclass(slots=True)
class _Send:
    """A send as this transaction sees it."""

    foreign_id: str
    campaign_id: int
    state: State
    number_digest: str
    phone_number: str | None
    drop_id: str | None
    attempt: int
    run_id: int
    key_generation: int | None

    @classmethod
    def of(cls, row: Any) -> "_Send":
        return cls(
            row.foreign_id, row.campaign_id, State(row.state), row.number_digest, row.phone_number, row.drop_id,
            row.attempt, row.run_id, None if row.keyed_at is None else row.key_generation,
        )  # fmt: skip

    def read(self, callback: Callback) -> Reading | None:
        """What a callback means, in the version of the API that it was sent by."""
        return (DEFAULT if self.key_generation is None else KEYED).read_result(callback)

    @property
    def request(self) -> int:
        """Which request was the last one, as a callback's token counts them: a repeated one keeps its token."""
        return self.attempt if self.key_generation is None else self.key_generation


class _Work:
    """One transaction's callbacks: the usual ones are moved together, the others one by one."""

    def __init__(self, connection: sa.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self._sends: dict[str, _Send] = {}
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
        self._sends = {row.foreign_id: _Send.of(row) for row in rows}

    def apply(self, item: Received) -> Match:
        """What the callback comes to; its send moves at the next ``flush`` at the latest."""
        callback = item.callback
        if callback is None:
            return Match.UNREADABLE
        send = self._sends.get(item.foreign_id or "")
        if send is None or not self._is_about(send, callback, is_verified=item.attempt is not None):
            return Match.UNMATCHED
        reading = send.read(callback)
        if reading is None:
            return Match.UNREADABLE
        if reading.suppresses:
            self._suppress(send)
        if not reading.is_known:
            log.warning("send %s: a result that the vendor does not document: %s", send.foreign_id, reading.reason)
        if reading.result in _NOT_SENT:
            return self._free(send, item, reading)
        target = State.DELIVERED if reading.result is Result.DELIVERED else State.FAILED
        if send.state in {State.DELIVERED, State.FAILED}:
            return self._judge_second(send, item, callback=callback, target=target)
        if send.state in OPEN:
            self._reopen(send, target)
        elif item.attempt is not None and item.attempt < send.request:
            log.error("send %s: a result of an earlier request: the person may be asked twice", send.foreign_id)
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

    def _free(self, send: _Send, item: Received, reading: Reading) -> Match:
        """Nothing was sent, says the result: the message was refused, or the account, or a request of ours was wrong.

        A result of an earlier key frees nothing: it is why there is another key.
        """
        if reading.result is Result.FAULT:
            log.error("send %s: a request of this package was wrong: %s", send.foreign_id, reading.reason)
            self._remember(send, "a wrong request", send.state, reason=reading.reason)
            return Match.CONFLICT
        if reading.result is Result.REFUSED:
            self._stop_runs(send, reading.reason)
        target = State.REJECTED if reading.result is Result.REJECTED else State.RELEASED
        if item.attempt != send.request or send.state not in sources_of(target):
            return Match.REPEATED
        self.flush()
        moved = self._connection.execute(
            SENDS.update()
            .where(SENDS.c.foreign_id == send.foreign_id, may_become(target))
            .values(state=target.value, reason=reading.reason, owns_number=False, final_at=self.at)
        )
        if moved.rowcount:
            book(self._connection, send.campaign_id, sends=-1)
        send.state = target
        return Match.APPLIED

    def _stop_runs(self, send: _Send, reason: str) -> None:
        """The running tasks of the account learn it with their next heartbeat, and stop."""
        account = sa.select(RUNS.c.account).where(RUNS.c.id == send.run_id).scalar_subquery()
        self._connection.execute(
            RUNS.update()
            .where(RUNS.c.account == account, RUNS.c.ended_at.is_(None), RUNS.c.stop_reason.is_(None))
            .values(stop_reason=f"{REFUSED}: {reason}")
        )

    def _count_cost(self, send: _Send, cost: int, *, sends: int) -> None:
        """Its campaign's budget learns it at the next ``flush``."""
        before = self._costs.get(send.campaign_id, (0, 0))
        self._costs[send.campaign_id] = (before[0] + cost, before[1] + sends)

    def _is_about(self, send: _Send, callback: Callback, *, is_verified: bool) -> bool:
        """Whether the callback names the send's own number; one without a token must."""
        if callback.phone_number is None:
            return is_verified
        if number_digest(self._key, Phone(callback.phone_number)) == send.number_digest:
            return True
        try:  # written another way: without the +, say
            phone = Phone.parse(callback.phone_number, region="US")
        except PhoneError:
            return False
        return number_digest(self._key, phone) == send.number_digest

    def _reopen(self, send: _Send, target: State) -> None:
        """It was not taken, said its answer; it was."""
        log.error("send %s was %s and has a result now: an answer was misread", send.foreign_id, send.state)
        self._remember(send, "a result although not taken", target, reason=None)
        book(self._connection, send.campaign_id, sends=1)
        is_owned = sa.exists().where(
            _OTHERS.c.campaign_id == send.campaign_id,
            _OTHERS.c.number_digest == send.number_digest,
            _OTHERS.c.owns_number,
        )
        self._connection.execute(
            SENDS.update().where(SENDS.c.foreign_id == send.foreign_id).values(owns_number=~is_owned)
        )

    def _judge_second(self, send: _Send, item: Received, *, callback: Callback, target: State) -> Match:
        """A result of a send that has one: the first is kept; another drop was billed on top."""
        is_other_drop = callback.drop_id is not None and send.drop_id is not None and callback.drop_id != send.drop_id
        if not is_other_drop and target is send.state:
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
            self._connection.execute(
                SENDS.update().where(SENDS.c.foreign_id == send.foreign_id).values(cost_micros=total)
            )
            self._count_cost(send, cost, sends=0)
        return Match.CONFLICT

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

    def _suppress(self, send: _Send) -> None:
        """The person asked not to be called again; an entry that is there already stays."""
        is_there = sa.exists().where(SUPPRESSIONS.c.number_digest == send.number_digest)
        values = (
            send.number_digest,
            send.phone_number,
            sa.bindparam("added_at", self.at, type_=SUPPRESSIONS.c.added_at.type),
            "callback",
            "asked not to be called again",
        )
        row = sa.select(*(value if isinstance(value, sa.BindParameter) else sa.literal(value) for value in values))
        self._connection.execute(SUPPRESSIONS.insert().from_select(SUPPRESSIONS.c.keys(), row.where(~is_there)))

    def _remember(self, send: _Send, event: str, target: State, *, reason: str | None) -> None:
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


def _kept(item: Received, match: Match) -> tuple[object, ...]:
    status = item.callback.status.value if item.callback else None
    return item.foreign_id, item.attempt, item.attempt is not None, status, match.value, item.payload


_NOT_SENT: Final = frozenset({Result.REJECTED, Result.REFUSED, Result.FAULT})
_OTHERS: Final = SENDS.alias("others")
