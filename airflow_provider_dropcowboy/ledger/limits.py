"""What limits a run while it sends: pauses, stops, and its share of the account's connections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import LedgerReplacedError
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_named, read_campaigns
from airflow_provider_dropcowboy.ledger.database import Ledger, clock_of, clock_parameters, now
from airflow_provider_dropcowboy.ledger.runs import Run, live_runs, this_process
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS
from airflow_provider_dropcowboy.ledger.syncs import SYNCS

REFUSED: Final = "refused"
"""Begins why a running task must stop: a result said that the vendor refuses whatever the account sends now."""


def beat(ledger: Ledger, run: Run, *, counts: Mapping[str, int]) -> str | None:
    """Say that the run lives, and where it stands.

    :returns: why it must stop claiming: a pause, or that the vendor refuses the account; None: go on.
    """
    with ledger.writing() as connection:
        connection.execute(
            RUNS.update()
            # a beat that is on its way when the run ends comes after its last counts, and must not undo them
            .where(RUNS.c.id == run.id, RUNS.c.ended_at.is_(None))
            .values(heartbeat_at=now(connection), counts=dict(counts))
        )
        return stop_reason(connection, run.campaign, run=run)


def stop_runs(connection: sa.Connection, run_id: int, *, reason: str) -> None:
    """The running tasks of the run's account learn it with their next heartbeat, and stop."""
    account = sa.select(RUNS.c.account).where(RUNS.c.id == run_id).scalar_subquery()
    connection.execute(
        RUNS.update()
        .where(RUNS.c.account == account, RUNS.c.ended_at.is_(None), RUNS.c.stop_reason.is_(None))
        .values(stop_reason=f"{REFUSED}: {reason}")
    )


def stop_reason(connection: sa.Connection, campaign: Campaign, *, run: Run | None = None) -> str | None:
    """Why nobody of the campaign may be claimed now; otherwise as ``read_order``."""
    return read_order(connection, campaign, run=run)[0]


def read_order(connection: sa.Connection, campaign: Campaign, *, run: Run | None = None) -> tuple[str | None, datetime]:
    """Why nobody of the campaign may be claimed now, and what time it is; read in the transaction that would claim.

    :param run: which would claim, and was begun by this process.
    :raises LedgerReplacedError: the run is not there: this is another database than the one in which it began.
    """
    dialect = connection.dialect.name
    which = {"campaign_id": campaign.id, "run_id": None if run is None else run.id, **clock_parameters(dialect)}
    row = connection.execute(_pauses(dialect), which).one_or_none()
    if row is None or (run is not None and row.worker != this_process()):
        raise LedgerReplacedError(
            "The ledger does not know this run any more: its database was replaced or restored while the run was "
            "sending. What was sent before is not in it, so nothing more is sent. Run `dropcowboy ledger restored` "
            "before any task runs: docs/operations.md, After a restore."
        )
    if row.paused_all is not None:
        return "paused: all campaigns (dropcowboy resume --all)", row.at
    if row.stop_reason is not None:
        return str(row.stop_reason), row.at
    if row.paused is not None:
        return f"paused: this campaign (dropcowboy resume '{campaign.name}')", row.at
    return None, row.at


@cache
def _pauses(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(
            LEDGER.c.paused_at.label("paused_all"),
            CAMPAIGNS.c.paused_at.label("paused"),
            RUNS.c.worker,
            RUNS.c.stop_reason,
            clock_of(dialect).label("at"),
        )
        .join_from(LEDGER, CAMPAIGNS, sa.true())
        .outerjoin(RUNS, RUNS.c.id == sa.bindparam("run_id", type_=sa.Integer))
        .where(CAMPAIGNS.c.id == sa.bindparam("campaign_id"))
    )


@dataclass(frozen=True, slots=True)
class Pauses:
    """What is paused in a ledger.

    :param all_since: since when all campaigns are; None: they are not.
    :param campaigns: those that are paused by themselves.
    """

    all_since: datetime | None
    campaigns: Sequence[Campaign]


def pause_campaign(ledger: Ledger, name: str, *, account: str | None = None) -> list[Campaign]:
    """Nobody of the campaign is claimed from now on; runs under way stop at their next claim or heartbeat.

    A campaign that was paused before stays paused since then. One name on both channels is paused on both.

    :param account: team id @ host; None: only one account has a campaign of that name.
    :raises ConfigurationError: there is no such campaign, or several accounts have one; nothing is changed.
    """
    with ledger.writing() as connection:
        is_one = CAMPAIGNS.c.id.in_([campaign.id for campaign in campaigns_named(connection, name, account=account)])
        fresh = CAMPAIGNS.update().where(is_one, CAMPAIGNS.c.paused_at.is_(None))
        connection.execute(fresh.values(paused_at=now(connection)))
        return read_campaigns(connection, is_one)


def resume_campaign(ledger: Ledger, name: str, *, account: str | None = None) -> list[Campaign]:
    """The campaign's own pause is over; a pause of all campaigns still holds.

    :returns: the campaigns as they were: since when each was paused.
    :raises ConfigurationError: as ``pause_campaign``.
    """
    with ledger.writing() as connection:
        found = campaigns_named(connection, name, account=account)
        is_one = CAMPAIGNS.c.id.in_([campaign.id for campaign in found])
        connection.execute(CAMPAIGNS.update().where(is_one).values(paused_at=None))
        return found


def pause_all(ledger: Ledger) -> datetime:
    """Nobody of any campaign is claimed from now on, whatever its account.

    :returns: since when; an earlier pause stays.
    """
    with ledger.writing() as connection:
        at = now(connection)
        connection.execute(LEDGER.update().where(LEDGER.c.paused_at.is_(None)).values(paused_at=at))
        since: datetime = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        return since


def resume_all(ledger: Ledger) -> datetime | None:
    """End the pause of all campaigns. A campaign that is paused by itself stays so.

    :returns: since when all were paused; None: they were not.
    """
    with ledger.writing() as connection:
        since: datetime | None = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        connection.execute(LEDGER.update().values(paused_at=None))
        return since


def read_pauses(ledger: Ledger) -> Pauses:
    """What is paused now."""
    with ledger.reading() as connection:
        since: datetime | None = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        paused = read_campaigns(connection, CAMPAIGNS.c.paused_at.is_not(None))
        return Pauses(since, sorted(paused, key=lambda campaign: campaign.name))


MAX_OF_SYNC: Final = 4
"""Connections of one sync of a contact list, at most: each carries a megabyte or two of contacts at a time."""


def seek_share(ledger: Ledger, run: Run, *, limit: int, using: int) -> int:
    """How many connections the run may use from now on; the ledger says so too.

    A run that has more than its share uses no more from now on, and gives the rest back the next time; a run that has
    less uses what is free. So the sum never exceeds the limit, and it evens out within a few seconds.

    :param limit: of the account, over all its runs; each sync that lives has its part of it first.
    :param using: the most that may be under way in this run until it has the answer.
    """
    with ledger.claiming(run.campaign.account) as connection:
        at = now(connection)
        rows = _live_runs(connection, run.campaign.account, at=at)
        limit = max(limit - len(_live_syncs(connection, run.campaign.account, at=at)) * share_of_sync(limit), 0)
        mine: int = next((row.connections for row in rows if row.id == run.id), 0)
        others: int = sum(row.connections for row in rows if row.id != run.id)
        fair = dict(zip((row.id for row in rows), fair_shares(limit, [row.wanted for row in rows]), strict=True))
        share = int(fair.get(run.id, 0))
        held = max(share, using) if share < mine else min(share, limit - others)
        held = max(held, 0)
        if held != mine:
            connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(connections=held))
    return int(min(held, share))


def share_of_sync(limit: int) -> int:
    """How many connections a sync of a contact list may use: a quarter of the account's, at most ``MAX_OF_SYNC``."""
    return max(1, min(MAX_OF_SYNC, limit // 4))


def has_room_for_sync(ledger: Ledger, account: str, sync_id: int, *, limit: int) -> bool:
    """Whether the runs have given back what a sync may use, and so have the syncs that are older.

    They do within seconds: from its beginning on, nobody else takes it.
    """
    with ledger.claiming(account) as connection:
        at = now(connection)
        used = sum(row.connections for row in _live_runs(connection, account, at=at))
        # younger ones wait in their turn, so that of any number one always has room
        syncs = sum(other <= sync_id for other in _live_syncs(connection, account, at=at))
    return bool(used + syncs * share_of_sync(limit) <= limit)


def _live_runs(connection: sa.Connection, account: str, *, at: datetime) -> Sequence[Any]:
    return connection.execute(
        sa.select(RUNS.c.id, RUNS.c.wanted, RUNS.c.connections)
        .where(RUNS.c.account == account, live_runs(at))
        .order_by(RUNS.c.id)
    ).all()


def _live_syncs(connection: sa.Connection, account: str, *, at: datetime) -> Sequence[int]:
    return connection.scalars(
        sa.select(SYNCS.c.id).where(SYNCS.c.account == account, SYNCS.c.ended_at.is_(None), SYNCS.c.held_until > at)
    ).all()


def fair_shares(limit: int, wanted: Sequence[int]) -> list[int]:
    """Each gets what it wants, or as much as the others that want more; the sum is at most ``limit``."""
    shares = [0] * len(wanted)
    left = limit
    hungry = [place for place, want in enumerate(wanted) if want > 0]
    while hungry and left:
        portion = left // len(hungry)
        if portion == 0:  # fewer connections than runs: the oldest get one each, the others wait
            for place in hungry[:left]:
                shares[place] += 1
            break
        for place in hungry:
            more = min(portion, wanted[place] - shares[place])
            shares[place] += more
            left -= more
        hungry = [place for place in hungry if shares[place] < wanted[place]]
    return shares
