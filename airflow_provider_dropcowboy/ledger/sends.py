"""What the ledger holds of some messages: sends, results without a send, who owns a number, how often it was called."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import DeliveryStatus
from airflow_provider_dropcowboy.ledger.batch import is_among, names
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import PREFIX_CHARACTERS
from airflow_provider_dropcowboy.ledger.runs import is_live
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, PROVES_A_SEND, RUNS, SENDS, SUPPRESSIONS
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import BINDING, SENT, State


@dataclass(frozen=True, slots=True)
class Found:
    """Where a send stands that is in the ledger.

    :param run_id: of the run that claimed it last.
    """

    state: State
    reason: str | None
    run_id: int

    def is_sent(self, *, run_id: int | None) -> bool:
        """Whether another run sent it, and nobody sends it again.

        :param run_id: of the run that looks; None: a dry run does.
        """
        return self.state in SENT and self.run_id != run_id


def find_sends(ledger: Ledger, foreign_ids: Sequence[str]) -> dict[str, Found]:
    """The sends of these names that the ledger has. One statement that locks and claims nothing.

    :raises LedgerError: the database was not reached.
    """
    dialect = ledger.engine.dialect.name
    with ledger.reading() as connection:
        rows = connection.execute(_standings(dialect), {"foreign_ids": names(foreign_ids, dialect)}).all()
    return {foreign_id: Found(State(state), reason, run_id) for foreign_id, state, reason, run_id in rows}


@cache
def _standings(dialect: str) -> sa.Select[Any]:
    which = is_among(SENDS.c.foreign_id, dialect, parameter="foreign_ids")
    return sa.select(SENDS.c.foreign_id, SENDS.c.state, SENDS.c.reason, SENDS.c.run_id).where(which)


def by_foreign_id(connection: sa.Connection, foreign_ids: Sequence[str]) -> dict[str, Any]:
    dialect = connection.dialect.name
    rows = connection.execute(_known(dialect), {"foreign_ids": names(foreign_ids, dialect)})
    return {row.foreign_id: row for row in rows}


def by_its_name(message: Message, rows: Mapping[str, Any]) -> tuple[Message, Any]:
    """The message under the name that its row has in the ledger, with the row; None: there is none.

    An older release may have named it by another notation of its contact key. That row goes on: it owns the number.
    """
    for name in (message.foreign_id, *message.earlier_ids):
        is_of_campaign = name[:PREFIX_CHARACTERS] == message.foreign_id[:PREFIX_CHARACTERS]
        if is_of_campaign and (row := rows.get(name)) is not None:
            return (message if name == message.foreign_id else replace(message, foreign_id=name)), row
    return message, None


def state_now(row: Any, at: datetime) -> State:
    state = State(row.state)
    if state is State.CLAIMED and not is_live(row.ended_at, row.heartbeat_at, at=at):
        return State.UNKNOWN
    return state


def known_and_lost(connection: sa.Connection, foreign_ids: Sequence[str]) -> tuple[dict[str, Any], dict[str, State]]:
    """The rows that are there, and where sends stand that only a verified result tells of, by foreign_id."""
    dialect = connection.dialect.name
    rows = connection.execute(_known_or_lost(dialect), {"foreign_ids": names(foreign_ids, dialect)}).all()
    known = {row.foreign_id: row for row in rows if row.run_id is not None}
    return known, {row.foreign_id: State(row.state) for row in rows if row.run_id is None}


def owners_and_suppressed(
    connection: sa.Connection, campaign: Campaign, number_digests: Sequence[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """Who owns these numbers in the campaign (number digest to foreign_id), and which of them are suppressed."""
    dialect = connection.dialect.name
    campaigns = [campaign.id, *(each.id for each in campaign.earlier)]
    which = {"campaigns": campaigns, "digests": names(number_digests, dialect)}
    rows = connection.execute(_owned_or_suppressed(dialect), which).all()
    # what the campaign itself owns comes last, and stands
    owned = sorted(
        (row.campaign_id == campaign.id, row.number_digest, row.foreign_id) for row in rows if row.foreign_id
    )
    suppressed = frozenset(row.number_digest for row in rows if row.foreign_id is None)
    return {digest: foreign_id for _is_own, digest, foreign_id in owned}, suppressed


@cache
def _known(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(
            SENDS.c.foreign_id,
            SENDS.c.state,
            SENDS.c.reason,
            SENDS.c.attempt,
            SENDS.c.claim_id,
            SENDS.c.content_digest,
            SENDS.c.number_digest,
            SENDS.c.run_id,
            SENDS.c.claimed_at,
            SENDS.c.resent_at,
            SENDS.c.key_generation,
            SENDS.c.keyed_at,
            SENDS.c.request_digest,
            RUNS.c.ended_at,
            RUNS.c.heartbeat_at,
        )
        .select_from(SENDS.outerjoin(RUNS, RUNS.c.id == SENDS.c.run_id))
        .where(is_among(SENDS.c.foreign_id, dialect, parameter="foreign_ids"))
    )


@cache
def _known_or_lost(dialect: str) -> sa.CompoundSelect[Any]:
    """In one round trip, since nearly always nothing is lost, and the index of what is has no entry."""
    known = _known(dialect)
    # success, else failure, else a result that could not be read: by then the vendor had accepted it all the same
    best = sa.func.max(CALLBACKS.c.status)
    state = sa.case(
        (best == DeliveryStatus.SUCCESS.value, State.DELIVERED.value),
        (best == DeliveryStatus.FAILURE.value, State.FAILED.value),
        else_=State.ACCEPTED.value,
    )
    lost = (
        sa.select(
            *(
                {"foreign_id": CALLBACKS.c.foreign_id, "state": state}.get(column.name, sa.null()).label(column.name)
                for column in known.selected_columns
            )
        )
        .where(PROVES_A_SEND, is_among(CALLBACKS.c.foreign_id, dialect, parameter="foreign_ids"))
        .group_by(CALLBACKS.c.foreign_id)
    )
    return known.union_all(lost)


@cache
def _owned_or_suppressed(dialect: str) -> sa.CompoundSelect[Any]:
    owned = sa.select(SENDS.c.number_digest, SENDS.c.foreign_id, SENDS.c.campaign_id).where(
        SENDS.c.campaign_id.in_(sa.bindparam("campaigns", expanding=True)),
        is_among(SENDS.c.number_digest, dialect, parameter="digests"),
        SENDS.c.owns_number,
    )
    suppressed = sa.select(
        SUPPRESSIONS.c.number_digest, sa.null().label("foreign_id"), sa.null().label("campaign_id")
    ).where(is_among(SUPPRESSIONS.c.number_digest, dialect, parameter="digests"))
    return owned.union_all(suppressed)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(at: datetime) -> int:
    """Days since 1970, UTC."""
    return (at - _EPOCH).days


def read_attempts(
    connection: sa.Connection, number_digests: Sequence[str], window: timedelta, *, at: datetime
) -> dict[str, list[Any]]:
    """The attempts on some numbers within a time, over all campaigns, by number digest."""
    dialect = connection.dialect.name
    days = range(day_of(at - window), day_of(at) + 1)
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(_attempts(dialect), {"digests": names(number_digests, dialect), "days": days}):
        rows[row.number_digest].append(row)
    return rows


@cache
def _attempts(dialect: str) -> sa.Select[Any]:
    return sa.select(SENDS.c.number_digest, SENDS.c.claimed_at, SENDS.c.content_digest, SENDS.c.campaign_id).where(
        SENDS.c.claimed_day.in_(sa.bindparam("days", expanding=True)),
        is_among(SENDS.c.number_digest, dialect, parameter="digests"),
        SENDS.c.state.in_(sorted(BINDING)),
    )
