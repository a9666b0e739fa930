"""What a person does with a whole ledger: look at it, say that it was restored, and take persons out of it.

What makes "never twice" true is kept for good; the persons are not.
"""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, bind_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.list_contacts import LIST_APPENDS, LIST_CONTACTS
from airflow_provider_dropcowboy.ledger.reconcile import Match
from airflow_provider_dropcowboy.ledger.runs import live_runs
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, CAMPAIGNS, HELD, LEDGER, NOT_SENT, RUNS, SENDS, TASKS
from airflow_provider_dropcowboy.ledger.suppressions import suppress_forgotten
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.states import DOUBT_LASTS, State

LONGEST_WINDOW: Final = timedelta(days=7)  # 7 attempts in 7 days, for FDCPA users: the longest that the vendor names
MIN_AGE: Final = DOUBT_LASTS + LONGEST_WINDOW
"""What is younger may still be settled, resent, capped against or answered, and for that a person reads the key."""

CHUNK_ROWS: Final = 2_000

PERSONAL: Final = (SENDS.c.contact_key, SENDS.c.phone_number, SENDS.c.network)
"""Columns of a send that tell of a person; digests, state, instants, drop id and cost stay."""

_IN_DOUBT: Final = (State.CLAIMED.value, State.UNKNOWN.value)
_NO_ACCOUNT: Final = "measured by dropcowboy doctor"  # so that the measurement waits for no sender, and none for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A ledger at one moment.

    :param live_runs: that send now.
    :param connections: that those use of their accounts' limits.
    :param restored_at: the watermark; None: it was never restored.
    """

    campaigns: int
    live_runs: int
    connections: int
    restored_at: datetime | None


def read_facts(ledger: Ledger) -> Facts:
    """Counts that cost next to nothing, however many sends there are."""
    with ledger.reading() as connection:
        live = live_runs(now(connection))
        runs, connections = connection.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(RUNS.c.connections), 0)).where(live)
        ).one()
        return Facts(
            campaigns=connection.execute(sa.select(sa.func.count()).select_from(CAMPAIGNS)).scalar_one(),
            live_runs=runs,
            connections=int(connections),
            restored_at=connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one(),
        )


def commit_s(ledger: Ledger) -> float:
    """How long a transaction takes that locks, writes and is on disk, as a claim is; it changes nothing."""
    with ledger.reading():  # a connection is there: opening one is not part of a claim
        pass
    begun_at = time.perf_counter()
    with ledger.claiming(_NO_ACCOUNT) as connection:
        connection.execute(LEDGER.update().values(ledger_id=LEDGER.c.ledger_id))
    return time.perf_counter() - begun_at


def clock_skew(ledger: Ledger) -> timedelta:
    """By how much the database's clock is ahead of this machine's."""
    with ledger.reading() as connection:
        return now(connection) - utcnow()


def mark_restored(ledger: Ledger, *, at: datetime | None = None) -> datetime:
    """Campaigns and contact lists that began before ``at`` send nothing until a person adopts them.

    :param at: aware; the moment from which the ledger is complete again. None: now.
    :returns: the watermark, which never moves back.
    """
    with ledger.writing() as connection:
        current = connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one()
        watermark: datetime = max(filter(None, (current, at or now(connection))))
        connection.execute(LEDGER.update().values(restored_at=watermark))
    return watermark


def adopt_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str) -> Campaign:
    """A person confirms that this ledger knows every send of the campaign: its runs may send."""
    campaign = bind_campaign(ledger, account, name=name, channel=channel, prefix=prefix)
    with ledger.writing() as connection:
        connection.execute(CAMPAIGNS.update().where(CAMPAIGNS.c.id == campaign.id).values(freed_at=now(connection)))
    return campaign


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed.

    :param sends: of which the person is gone now.
    :param callbacks: of which the payload is gone now.
    :param in_doubt: old enough, and left as they are: a person must settle them first.
    """

    sends: int
    callbacks: int
    in_doubt: int


def prune(ledger: Ledger, *, older_than: timedelta) -> Pruned:
    """Persons whose messages came to their end so long ago are no longer in the ledger.

    Everything that makes a second request impossible stays: foreign_id, digests of number and content, state. Doing it
    again, or going on where it was interrupted, does no harm.

    :param older_than: since the last thing that happened to a message; at least ``MIN_AGE``.
    :raises ConfigurationError: shorter than that; nothing is changed.
    """
    if older_than < MIN_AGE:
        raise ConfigurationError(
            f"Messages younger than {MIN_AGE} may still be settled, resent or capped against. Nothing was changed. "
            "Prune what is older than 8 days or more."
        )
    with ledger.reading() as connection:
        before = now(connection) - older_than
        is_old = sa.func.coalesce(SENDS.c.final_at, SENDS.c.answered_at, SENDS.c.claimed_at) <= before
        has_person = sa.or_(*(column.is_not(None) for column in PERSONAL))
        in_doubt = connection.execute(
            sa.select(sa.func.count()).where(is_old, has_person, SENDS.c.state.in_(_IN_DOUBT))
        ).scalar_one()
    _prune_list_contacts(ledger, before)
    with ledger.writing() as connection:  # left by tasks that were killed while they waited, and never ran again
        old_runs = sa.select(RUNS.c.id).where(RUNS.c.started_at <= before)
        connection.execute(HELD.delete().where(HELD.c.first_run_id.in_(old_runs)))
        connection.execute(NOT_SENT.delete().where(NOT_SENT.c.run_id.in_(old_runs)))
        connection.execute(TASKS.delete().where(TASKS.c.noted_at <= before))
    return Pruned(
        sends=_prune_sends(ledger, sa.and_(is_old, has_person, SENDS.c.state.not_in(_IN_DOUBT))),
        callbacks=_prune_callbacks(ledger, before),
        in_doubt=in_doubt,
    )


def forget(ledger: Ledger, phone: Phone, *, reason: str) -> Pruned:
    """The person of a number is nowhere in the ledger any more, and is not contacted again.

    What is left are digests, which nobody without the ledger's key can turn into a number. The number is suppressed by
    its digest, whether it was before or not: who wants to be forgotten does not want to be called. On contact lists the
    person is known by the number, or by the keys of what was sent to it.

    :param reason: kept with the suppression; no personal data.
    """
    digest = number_digest(ledger.key, phone)
    with ledger.writing() as connection:
        chosen = sa.select(SENDS.c.foreign_id).where(SENDS.c.number_digest == digest)
        # in this order, in which senders and receivers lock them too: nobody waits in a circle
        foreign_ids = connection.execute(chosen.order_by(SENDS.c.foreign_id).with_for_update()).scalars().all()
        keys = sa.select(SENDS.c.contact_key).where(SENDS.c.number_digest == digest)
        is_person = sa.or_(LIST_CONTACTS.c.contact_key == phone.e164, LIST_CONTACTS.c.contact_key.in_(keys))
        connection.execute(LIST_CONTACTS.update().where(is_person).values(contact_key=None))
        is_row = sa.or_(NOT_SENT.c.number_digest == digest, NOT_SENT.c.contact_key.in_(keys))
        connection.execute(NOT_SENT.update().where(is_row).values(contact_key=None))
        connection.execute(SENDS.update().where(SENDS.c.number_digest == digest).values(_nothing()))
        callbacks = connection.execute(
            CALLBACKS.update()
            .where(CALLBACKS.c.payload.is_not(None), CALLBACKS.c.foreign_id.in_(chosen))
            .values(payload=None)
        ).rowcount
        for callback_id in _strays_about(connection, phone):
            connection.execute(CALLBACKS.update().where(CALLBACKS.c.id == callback_id).values(payload=None))
            callbacks += 1
        suppress_forgotten(connection, digest, reason=reason)
    return Pruned(sends=len(foreign_ids), callbacks=callbacks, in_doubt=0)


def _prune_sends(ledger: Ledger, which: sa.ColumnElement[bool]) -> int:
    """A chunk a transaction, so that senders and receivers never wait long."""
    pruned, last = 0, ""
    while True:
        with ledger.writing() as connection:
            chosen = (
                sa.select(SENDS.c.foreign_id)
                .where(which, SENDS.c.foreign_id > last)
                .order_by(SENDS.c.foreign_id)
                .limit(CHUNK_ROWS)
                .with_for_update()
            )
            foreign_ids = connection.execute(chosen).scalars().all()
            if not foreign_ids:
                return pruned
            # judged again: a callback may have moved one while this waited for its lock
            connection.execute(SENDS.update().where(which, SENDS.c.foreign_id.in_(foreign_ids)).values(_nothing()))
        pruned, last = pruned + len(foreign_ids), foreign_ids[-1]


def _prune_callbacks(ledger: Ledger, before: datetime) -> int:
    with ledger.writing() as connection:
        return connection.execute(
            CALLBACKS.update()
            .where(CALLBACKS.c.received_at <= before, CALLBACKS.c.payload.is_not(None))
            .values(payload=None)
        ).rowcount


def _prune_list_contacts(ledger: Ledger, before: datetime) -> None:
    """Refused contacts lose their names; those in doubt keep them, since a person must settle them first."""
    old = sa.select(LIST_APPENDS.c.id).where(LIST_APPENDS.c.answered_at <= before)
    with ledger.writing() as connection:
        connection.execute(
            LIST_CONTACTS.update()
            .where(
                LIST_CONTACTS.c.contact_key.is_not(None),
                LIST_CONTACTS.c.state.not_in(_IN_DOUBT),
                LIST_CONTACTS.c.append_id.in_(old),
            )
            .values(contact_key=None)
        )


def _strays_about(connection: sa.Connection, phone: Phone) -> list[int]:
    """Callbacks that belong to no send of the number, and name it all the same, in whatever notation."""
    digits = phone.e164.removeprefix("+1").removeprefix("+")
    rows = connection.execute(
        sa.select(CALLBACKS.c.id, CALLBACKS.c.payload).where(
            CALLBACKS.c.match.in_([Match.UNMATCHED.value, Match.UNREADABLE.value]), CALLBACKS.c.payload.is_not(None)
        ),
        execution_options={"yield_per": CHUNK_ROWS},
    )
    return [row.id for row in rows if digits in _SEPARATORS.sub("", row.payload)]


def _nothing() -> dict[str, None]:
    return {column.name: None for column in PERSONAL}


_SEPARATORS: Final = re.compile(r"[ ()./-]+")
