"""A dry run: the same judgement as a run, with nothing written and nothing sent."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Final

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.campaign.forecast import Outlook
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.judge import Batch, Judge, Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.campaign.warnings import warn_of_bans, warn_of_forecast, warn_of_plan
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.allowance import allowance_after, read_allowance
from airflow_provider_dropcowboy.ledger.claims import preview
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.runs import Campaign, find_campaign
from airflow_provider_dropcowboy.states import State

BATCH_ROWS: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """What a dry run says of one row.

    :param message: what the row would get; None: the row made none.
    """

    state: State
    reason: str | None
    contact_key: str | None = field(repr=False)
    message: Message | None = field(default=None, repr=False)


Observer = Callable[[JudgedRow], object]


def preview_campaign(
    plan: Plan,
    ledger: Ledger | None,
    *,
    rows: Rows,
    suppressed: SuppressionList | None = None,
    observe: Observer | None = None,
    waits_for: timedelta | None = None,
) -> Summary:
    """Count what a run would do now, and foresee what follows.

    :param ledger: None: there is none yet, so nobody was asked before.
    :param observe: is told of every row, in no certain order within a batch.
    :param waits_for: how long the run would wait for openings; None: it sends one wave.
    :returns: counts in which ``ready`` are those that would be asked, with a forecast.
    :raises ConfigurationError: the source lacks a column, or cannot be read.
    """
    warn_of_plan(plan)
    started_at = time.monotonic()
    tally = Tally()
    outlook = Outlook(plan, at=utcnow(), waits_for=waits_for)
    key = ledger.key if ledger else secrets.token_bytes(32)
    campaign = _campaign(plan, ledger)
    identity = Identity.of(key, campaign)
    with Seen() as keys, Seen() as numbers:
        judge = Judge(plan, identity, seen=keys)
        if suppressed is not None:
            judge.read_suppressed(suppressed)
            tally.unreadable_suppressions = suppressed.unreadable
        source = iter(rows)
        while read := list(islice(source, BATCH_ROWS)):
            batch = judge.judge(read)
            ready = tally.states[State.READY]
            judgement = (
                preview(ledger, campaign, messages=batch.messages, rules=plan.claim_rules, foreseen=ready)
                if ledger
                else _judge_unknown(plan, batch.messages, foreseen=ready)
            )
            for verdict in batch.verdicts:
                tally.count(verdict.state, verdict.reason)
            tally.count_unclaimed(judgement, run_id=None)
            free = [_judge_number(claim.message, numbers) for claim in judgement.claimed]
            for row in free:
                tally.count(row.state, row.reason)
            for row in _judged(batch, judgement=judgement, free=free):
                if row.message is not None:
                    outlook.add(row.message, row.state, row.reason)
                if observe is not None:
                    observe(row)
    forecast = outlook.forecast(allowed=_allowed(plan, ledger, campaign, foreseen=tally.states[State.READY]))
    summary = Summary.of(
        tally,
        campaign=plan.campaign,
        seconds=time.monotonic() - started_at,
        forecast=forecast,
        calling_hours=plan.hours.version if plan.hours else None,
    )
    log.info("dry run, nothing is sent: %s", summary)
    for line in forecast.lines():
        log.info("dry run: %s", line)
    warn_of_bans(tally)
    warn_of_forecast(forecast)
    return summary


def _campaign(plan: Plan, ledger: Ledger | None) -> Campaign:
    """As the ledger knows it; caps and lists of other campaigns hold too for one that was never begun."""
    account = plan.account.name
    known = ledger and find_campaign(ledger, account, name=plan.campaign, channel=plan.channel)
    return known or Campaign(0, account, plan.campaign, plan.channel, "", True)


def _judge_number(message: Message, numbers: Seen) -> JudgedRow:
    # in a run the ledger would know by now that an earlier batch took the number
    if numbers.add(message.number_digest):
        return JudgedRow(State.READY, None, message.contact_key, message)
    return JudgedRow(State.DUPLICATE, "another key has the same number", message.contact_key, message)


def _judge_unknown(plan: Plan, messages: list[Message], *, foreseen: int) -> Judgement:
    """As a ledger would that is empty."""
    judgement = Judgement(stopped=[message for message in messages if message.stop is not None])
    free = [message for message in messages if message.stop is None]
    allowance = allowance_after(foreseen, 0, **_limits(plan))
    if allowance is not None:
        judgement.held = [(message, allowance.reason) for message in free[allowance.sends :]]
        free = free[: allowance.sends]
    judgement.claimed = [Claim(message, 1, "") for message in free]
    return judgement


def _allowed(plan: Plan, ledger: Ledger | None, campaign: Campaign, *, foreseen: int) -> int | None:
    """Sends that limit and budget leave for later waves; None: any number."""
    if ledger is None:
        allowance = allowance_after(foreseen, 0, **_limits(plan))
    else:
        with ledger.reading() as connection:
            allowance = read_allowance(connection, campaign, foreseen=foreseen, **_limits(plan))
    return None if allowance is None else allowance.sends


def _limits(plan: Plan) -> dict[str, int | None]:
    rules = plan.claim_rules
    return {"limit": rules.limit, "budget_micros": rules.budget_micros, "price_micros": rules.price_micros}


def _judged(batch: Batch, *, judgement: Judgement, free: list[JudgedRow]) -> Iterator[JudgedRow]:
    for verdict in batch.verdicts:
        yield JudgedRow(verdict.state, verdict.reason, verdict.key)
    for row in judgement.already:
        yield JudgedRow(row.state, row.reason, row.message.contact_key, row.message)
    for message, state, reason in judgement.not_asked():
        yield JudgedRow(state, reason, message.contact_key, message)
    yield from free
