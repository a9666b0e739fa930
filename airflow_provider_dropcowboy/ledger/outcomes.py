"""Outcomes: what each request came to, by compare-and-set on the claim it was written under."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome, SendOutcome
from airflow_provider_dropcowboy.ledger.batch import as_parameter, batch
from airflow_provider_dropcowboy.ledger.campaigns import book
from airflow_provider_dropcowboy.ledger.database import Ledger, clock_of, clock_parameters, now
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, SENDS, may_become
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.screening.screen import Verdict
from airflow_provider_dropcowboy.states import BINDING, OPEN, State

STATE_OF: Final = {
    Outcome.ACCEPTED: State.ACCEPTED,
    Outcome.REJECTED: State.REJECTED,
    Outcome.RELEASED: State.RELEASED,
    Outcome.REFUSED: State.RELEASED,
    Outcome.UNKNOWN: State.UNKNOWN,
}

HOURS_ENDED: Final = SendOutcome(Outcome.RELEASED, "not sent: the calling hours ended")
OPTED_OUT: Final = SendOutcome(Outcome.RELEASED, "not sent: opted out after it was claimed")
"""Of claims that a verdict stopped before their request: the run counts the verdict, and the ledger has them back."""

log = logging.getLogger(__name__)


@row_value()
class Answered:
    """A claim and what its request came to.

    :param is_correction: it was answered as accepted before, and that is in doubt now.
    :param held_back: the verdict that kept its request from being written; None: none did.
    """

    claim: Claim
    outcome: SendOutcome
    is_correction: bool = False
    held_back: Verdict | None = None

    @property
    def state(self) -> State:
        """Where the send stands now. One of which an earlier request is in doubt is not free, whatever came back."""
        state = STATE_OF[self.outcome.kind]
        return State.UNKNOWN if self.claim.is_doubtful and state in OPEN else state

    @property
    def standing(self) -> State:
        """Where the message stands by all its requests: of a resend that was not accepted, the first is in doubt.

        The ledger says so too, and the resend no longer counts against the campaign's limit and budget.
        """
        return State.UNKNOWN if self.claim.is_resend and self.state in OPEN else self.state


def record(ledger: Ledger, run: Run, *, answered: Sequence[Answered]) -> int:
    """Write outcomes down; each is its owner's last act on the claim. Doing it twice does no harm.

    A row that a callback has settled already stays settled. A resend that was not accepted leaves the row in doubt: the
    first request may have been. An outcome whose claim is no longer the row's goes to the history: if its request may
    have been accepted, somebody was contacted twice.

    :returns: how many such conflicts there were; 0 unless a rule of this package was broken.
    :raises LedgerError: not known whether they are on disk: call again.
    """
    with ledger.writing() as connection:
        return write_outcomes(connection, run, answered=answered)


def write_outcomes(connection: sa.Connection, run: Run, *, answered: Sequence[Answered]) -> int:
    """``record``, within a transaction."""
    corrections = [item for item in answered if item.is_correction]
    answered = [item for item in answered if not item.is_correction]
    rows = sorted(map(_row, answered), key=itemgetter(0))
    # apart, because what was not accepted no longer counts against the campaign's limit and budget
    taken = _move_taken(connection, [row for row in rows if row[-1]])
    not_taken = _move(connection, [row for row in rows if not row[-1]])
    book(connection, run.campaign.id, sends=-not_taken)
    is_usual = taken + not_taken == len(answered)
    if is_usual and not corrections:
        return 0
    at = now(connection)
    for item in corrections:  # after the acceptances, which may be among the same answers
        _correct(connection, run, item=item, at=at)
    if is_usual:
        return 0
    return sum(_judge_unmoved(connection, run, item=item, at=at) for item in answered)


def _move_taken(connection: sa.Connection, rows: Sequence[tuple[object, ...]]) -> int:
    """``_move`` of answers after which a row owns its number.

    Nearly always it does before. Its entry in the index of numbers then stays, which SQLite would write anew.
    """
    moved = _move(connection, rows, owns=True)
    return moved if moved == len(rows) else moved + _move(connection, rows, owns=False)


def _move(
    connection: sa.Connection,
    rows: Sequence[tuple[object, ...]],
    target: State = State.ACCEPTED,
    *,
    owns: bool | None = None,
) -> int:
    """How many of the rows moved; they are sorted, so that two writers lock them in one order and do not deadlock.

    :param owns: only rows that own their number, or do not; None: all.
    """
    if not rows:
        return 0
    dialect = connection.dialect.name
    parameters = {"rows": as_parameter(rows), **clock_parameters(dialect)}
    return connection.execute(_answers(dialect, target, owns), parameters).rowcount


def _correct(connection: sa.Connection, run: Run, *, item: Answered, at: datetime) -> None:
    """Put an acceptance in doubt, unless a callback or a person has moved the row since."""
    if _move(connection, [_row(item)], State.UNKNOWN):
        connection.execute(
            HISTORY.insert().values(
                foreign_id=item.claim.message.foreign_id,
                at=at,
                event="acceptance in doubt",
                state_before=State.ACCEPTED.value,
                state_after=State.UNKNOWN.value,
                attempt=item.claim.attempt,
                run_id=run.id,
                reason=item.outcome.reason,
            )
        )


def _judge_unmoved(connection: sa.Connection, run: Run, *, item: Answered, at: datetime) -> bool:
    """Whether this outcome contradicts what the ledger says; writes the contradiction down."""
    target = item.state
    row: Any = connection.execute(_STANDING, {"foreign_id": item.claim.message.foreign_id}).one_or_none()
    is_same_claim = row is not None and (row.attempt, row.claim_id) == (item.claim.attempt, item.claim.claim_id)
    is_settled = row is not None and (row.state in {target, State.DELIVERED, State.FAILED} or row.final_at is not None)
    if is_same_claim and (target is State.UNKNOWN or is_settled):
        return False
    if target in OPEN:  # not accepted: whatever happened since stands
        return False
    # repeated under its key, or nothing was sent under it: nobody is contacted twice
    if (
        row is not None
        and row.keyed_at is not None
        and (row.key_generation == item.claim.key_generation or (row.resent_at is None and _is_freed(connection, item)))
    ):
        return False
    if row is None:
        event = "answer for a claim that the ledger lost"
    else:
        event = "answer after a person or a callback moved the row" if is_same_claim else "sent twice"
    log.error("send %s: %s (attempt %d)", item.claim.message.foreign_id, event, item.claim.attempt)
    connection.execute(
        HISTORY.insert().values(
            foreign_id=item.claim.message.foreign_id,
            at=at,
            event=event,
            state_before=row.state if row is not None else None,
            state_after=target.value,
            attempt=item.claim.attempt,
            run_id=run.id,
            reason=item.outcome.reason,
        )
    )
    return True


def _is_freed(connection: sa.Connection, item: Answered) -> bool:
    """Whether a result came for its request. If the message was then claimed as a free one, nothing was sent."""
    is_kept = sa.exists().where(
        CALLBACKS.c.foreign_id == item.claim.message.foreign_id,
        CALLBACKS.c.attempt == item.claim.key_generation,
        CALLBACKS.c.match == "applied",
    )
    return bool(connection.execute(sa.select(is_kept)).scalar_one())


def _row(item: Answered) -> tuple[object, ...]:
    claim, state = item.claim, item.state
    reason = item.outcome.reason or None
    return claim.message.foreign_id, claim.attempt, claim.claim_id, state.value, reason, state in BINDING


@cache
def _answers(dialect: str, target: State, owns: bool | None = None) -> sa.Update:
    answer = batch(SENDS, dialect, "foreign_id", "attempt", "claim_id", "state", "reason", "owns_number").c
    is_still_in_doubt = sa.and_(SENDS.c.resent_at.is_not(None), answer.state.in_(sorted(OPEN)))
    owned = {} if owns else {"owns_number": sa.or_(is_still_in_doubt, answer.owns_number)}
    return (
        SENDS.update()
        .where(
            SENDS.c.foreign_id == answer.foreign_id,
            SENDS.c.attempt == answer.attempt,
            SENDS.c.claim_id == answer.claim_id,
            # by default claimed, or unknown: a late answer still counts. Whatever the answer is, it moves no other
            # state: that a result may free an accepted send says nothing of an answer
            may_become(target),
            # once: it stays unknown, and would be booked as not accepted a second time
            sa.or_(sa.not_(is_still_in_doubt), SENDS.c.state == State.CLAIMED.value),
            *(() if owns is None else (SENDS.c.owns_number.is_(owns),)),
        )
        .values(
            state=sa.case((is_still_in_doubt, State.UNKNOWN.value), else_=answer.state),
            reason=answer.reason,
            answered_at=clock_of(dialect),
            **owned,
        )
    )


_STANDING: Final = sa.select(
    *(SENDS.c[name] for name in ("state", "attempt", "claim_id", "final_at", "key_generation", "keyed_at", "resent_at"))
).where(SENDS.c.foreign_id == sa.bindparam("foreign_id"))
