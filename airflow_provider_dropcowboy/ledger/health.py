"""Whether this ledger knows every send: the evidence, the decision, and what a person may say about it."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import GuardError
from airflow_provider_dropcowboy.ledger.counts import lost_results
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.lists import LISTS, OPEN, ListState
from airflow_provider_dropcowboy.ledger.postgres import read_timeline
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS

MAX_CLOCK_SKEW: Final = timedelta(seconds=30)
RESTORE_LASTS: Final = timedelta(days=30)
"""How long after a restore a command line may not begin a campaign that the ledger does not know: the same command may
have sent it before. A task says by its due time when its campaign began; a command line cannot."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about a ledger before a run of one campaign, or a sync of one contact list, begins.

    :param at: now, by the ledger's clock.
    :param clock_skew: how far that is ahead of this machine's clock.
    :param restored_at: the ledger may lack what was sent before; None: it was never restored.
    :param created_at: when the ledger first heard of the campaign or list; None: it does not know it.
    :param adopted_at: when a person last confirmed that the ledger knows all of it.
    :param is_forgotten: the task began it before, and the ledger has no record of that.
    :param has_results: results came for sends of the campaign that the ledger does not know.
    """

    who: Who
    ledger_id: str
    born_at: datetime
    at: datetime
    clock_skew: timedelta = timedelta(0)
    restored_at: datetime | None = None
    created_at: datetime | None = None
    adopted_at: datetime | None = None
    is_forgotten: bool = False
    has_results: bool = False

    @property
    def is_adopted(self) -> bool:
        """A person adopted it, and the ledger was not restored since."""
        return self.adopted_at is not None and (self.restored_at is None or self.adopted_at >= self.restored_at)


class Refusal(StrEnum):
    """Why a ledger may not know every send."""

    CLOCKS_DIFFER = "clocks_differ"
    OTHER_LEDGER = "other_ledger"
    OTHER_LEDGER_IN_DAG_RUN = "other_ledger_in_dag_run"
    EARLIER_RUNS_MISSING = "earlier_runs_missing"
    YOUNGER_THAN_RUN = "younger_than_run"
    RESTORED_SINCE_DUE = "restored_since_due"
    RESTORED_SINCE_CREATED = "restored_since_created"
    RESTORED_AND_UNKNOWN = "restored_and_unknown"


def refusal_of(evidence: Evidence) -> Refusal | None:
    """The first reason in ``REFUSALS`` that applies; None: go on. Only the clocks outweigh what a person confirmed."""
    for refusal, applies in REFUSALS:
        if applies(evidence) and (refusal is Refusal.CLOCKS_DIFFER or not evidence.is_adopted):
            return refusal
    return None


def check_campaign(
    ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str, who: Who, earlier_runs: Collection[int]
) -> None:
    """Return if the ledger can know every send of a campaign.

    :param prefix: how the foreign_ids of the campaign begin.
    :param earlier_runs: ids of the runs that were earlier waves of this task.
    :raises GuardError: it may not, or clocks differ; nothing was sent. The message names the command that lets it send.
    """
    watch_timeline(ledger)
    with ledger.reading() as connection:
        campaign = connection.execute(
            sa.select(CAMPAIGNS).where(
                CAMPAIGNS.c.account == account, CAMPAIGNS.c.name == name, CAMPAIGNS.c.channel == channel
            )
        ).one_or_none()
        known_id = campaign.id if campaign else -1
        ids = sa.select(CAMPAIGNS.c.id).where(sa.or_(CAMPAIGNS.c.id == known_id, CAMPAIGNS.c.merged_into == known_id))
        known_runs = connection.execute(
            sa.select(sa.func.count()).where(RUNS.c.id.in_(earlier_runs), RUNS.c.campaign_id.in_(ids))
        ).scalar_one()
        evidence = _evidence(
            ledger,
            connection,
            who=who,
            created_at=campaign.created_at if campaign else None,
            adopted_at=campaign.freed_at if campaign else None,
            is_forgotten=known_runs < len(earlier_runs) or (who.has_begun and campaign is None),
            has_results=campaign is None and lost_results(connection, prefix) > 0,
        )
    adopt = (
        "If you are sure that every send of this campaign is recorded in this ledger, run "
        f"`dropcowboy ledger adopt '{name}'` and {_again(who)}. Anyone who is missing from it is contacted again."
    )
    _check(evidence, f"campaign {name!r}", nothing="Nothing was sent.", adopt=adopt)


def check_list(ledger: Ledger, account: str, *, name: str, who: Who) -> None:
    """Return if the ledger can know everything that was appended to a contact list.

    :param name: of the list, or the ID of a list that is known by its ID alone.
    :raises GuardError: it may not, or clocks differ; nothing was changed. The message names the command.
    """
    watch_timeline(ledger)
    is_open = LISTS.c.state.in_([state.value for state in OPEN])
    with ledger.reading() as connection:
        known = connection.execute(
            sa.select(LISTS)
            .where(LISTS.c.account == account, LISTS.c.name == name, is_open)
            .order_by(LISTS.c.state != ListState.CURRENT.value, LISTS.c.id)
            .limit(1)
        ).one_or_none()
        evidence = _evidence(
            ledger,
            connection,
            who=who,
            created_at=known.created_at if known else None,
            adopted_at=known.freed_at if known else None,
        )
    list_id = known.list_id if known and known.list_id else "ID"
    adopt = (
        f"If you are sure that the ledger knows all that was appended, run `dropcowboy list adopt '{name}' {list_id}` "
        f"and {_again(who)}. A mirror is then built anew; append mode appends everybody who is missing from the "
        "ledger. If Drop Cowboy has no such list, start a new DAG run."
    )
    _check(evidence, f"contact list {name!r}", nothing="Nothing was changed.", adopt=adopt)


def watch_timeline(ledger: Ledger) -> None:
    """Notice that PostgreSQL was restored, or failed over to a copy that may lack the last commits.

    :raises LedgerError: the database was not reached.
    """
    if ledger.engine.dialect.name != "postgresql":
        return
    seen = read_timeline(ledger.engine)
    if seen is None:
        log.warning(
            "the ledger's database does not let this role read its timeline, so a failover is not noticed: run "
            "`dropcowboy ledger restored` after each one"
        )
        return
    with ledger.reading() as connection:
        if connection.execute(sa.select(LEDGER.c.timeline)).scalar_one() == seen:
            return
    with ledger.writing() as connection:
        known = connection.execute(sa.select(LEDGER.c.timeline).with_for_update()).scalar_one()
        connection.execute(LEDGER.update().values(timeline=seen))
        if known in {None, seen}:
            return
        connection.execute(LEDGER.update().values(restored_at=now(connection)))
    log.warning(
        "the ledger's database is on timeline %s and was on %s: it was restored or failed over, and may lack what was "
        "sent last. Campaigns and contact lists that began before now send nothing until a person adopts them",
        seen,
        known,
    )


def _evidence(
    ledger: Ledger,
    connection: sa.Connection,
    *,
    who: Who,
    created_at: datetime | None,
    adopted_at: datetime | None,
    is_forgotten: bool = False,
    has_results: bool = False,
) -> Evidence:
    at = now(connection)
    return Evidence(
        who=who,
        ledger_id=ledger.ledger_id,
        born_at=ledger.born_at,
        at=at,
        clock_skew=at - utcnow(),
        restored_at=connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one(),
        created_at=created_at,
        adopted_at=adopted_at,
        is_forgotten=is_forgotten,
        has_results=has_results,
    )


def _check(evidence: Evidence, what: str, *, nothing: str, adopt: str) -> None:
    refusal = refusal_of(evidence)
    if refusal is None:
        return
    due, restored, begun = (_text(at) for at in (evidence.who.due_at, evidence.restored_at, evidence.born_at))
    was_restored = f"The ledger was restored at {restored} and may lack what was sent before."
    here = f"this is ledger {evidence.ledger_id}, which may not know what was sent then"
    go_back = "Set ledger_conn_id or DROPCOWBOY_LEDGER_URL to the earlier ledger. If you moved on purpose: "
    may_be_lost = "an earlier ledger may be lost, with a replaced container for example."
    texts = {
        Refusal.CLOCKS_DIFFER: f"This machine's clock and the ledger's differ by {abs(evidence.clock_skew)}. {nothing} "
        "Calling hours, leases, and caps need one time. Set both clocks by NTP, then clear the task.",
        Refusal.OTHER_LEDGER: f"This task used ledger {evidence.who.earlier_ledger} before, and {here}. {nothing} "
        + go_back + adopt,
        Refusal.OTHER_LEDGER_IN_DAG_RUN: f"A task of this DAG run used ledger "
        f"{', '.join(sorted(evidence.who.sibling_ledgers))} for {what}, and {here}. {nothing} {go_back}{adopt}",
        Refusal.EARLIER_RUNS_MISSING: f"This task began {what} before, and this ledger has no record of that: "
        f"{may_be_lost} {nothing} {adopt}",
        Refusal.YOUNGER_THAN_RUN: f"This is try {evidence.who.try_number} of a run that was due at {due}. The "
        f"ledger is younger (it began at {begun}) and does not know {what}: {may_be_lost} {nothing} {adopt}",
        Refusal.RESTORED_SINCE_DUE: f"{was_restored} This run was due at {due}. {nothing} {adopt}",
        Refusal.RESTORED_SINCE_CREATED: f"{was_restored} It has known {what} since {_text(evidence.created_at)}. "
        f"{nothing} {adopt}",
        Refusal.RESTORED_AND_UNKNOWN: f"{was_restored} It does not know {what}, which may have been sent before. "
        f"{nothing} {adopt}",
    }  # fmt: skip
    raise GuardError(texts[refusal])


def _again(who: Who) -> str:
    return "run it again" if who.is_command_line else "clear the task"


def _text(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if instant else ""


def _is_since(restored_at: datetime | None, began_at: datetime | None) -> bool:
    return restored_at is not None and began_at is not None and began_at < restored_at


def _is_unknown_after_restore(evidence: Evidence) -> bool:
    restored_at = evidence.restored_at
    if restored_at is None or evidence.created_at is not None:
        return False
    is_recent = evidence.at < restored_at + RESTORE_LASTS
    return evidence.has_results or (is_recent and evidence.who.is_command_line)


REFUSALS: Final[tuple[tuple[Refusal, Callable[[Evidence], bool]], ...]] = (
    (Refusal.CLOCKS_DIFFER, lambda its: abs(its.clock_skew) > MAX_CLOCK_SKEW),
    (Refusal.OTHER_LEDGER, lambda its: its.who.earlier_ledger not in {None, "", its.ledger_id}),
    (Refusal.OTHER_LEDGER_IN_DAG_RUN, lambda its: not its.who.sibling_ledgers <= {its.ledger_id}),
    (Refusal.EARLIER_RUNS_MISSING, lambda its: its.is_forgotten),
    (Refusal.RESTORED_SINCE_DUE, lambda its: _is_since(its.restored_at, its.who.due_at)),
    (Refusal.RESTORED_SINCE_CREATED, lambda its: _is_since(its.restored_at, its.created_at)),
    (Refusal.RESTORED_AND_UNKNOWN, _is_unknown_after_restore),
    (
        Refusal.YOUNGER_THAN_RUN,
        # a try that is known to have failed before it had a ledger has sent nothing
        lambda its: (
            its.created_at is None
            and (its.who.try_number or 1) > 1
            and its.who.earlier_ledger is None
            and its.who.due_at is not None
            and its.who.due_at < its.born_at
        ),
    ),
)
"""The whole decision, in order: what is looked at, and when it means that the run must not begin."""
