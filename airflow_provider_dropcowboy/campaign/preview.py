"""A dry run: the same judgement as a run, with nothing written and nothing sent."""

import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from airflow_provider_dropcowboy.campaign.forecast import Outlook
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.judge import LOOK_ROWS, Judge, Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen, Unsent
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.campaign.warnings import (
    warn_if_nothing_would_be_sent,
    warn_of_bans,
    warn_of_forecast,
    warn_of_plan,
)
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.contact import Contact
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.judgement import (
    NO_RULES,
    ClaimRules,
    Judgement,
    Records,
    facts_of,
    read_records,
    sort_out,
)
from airflow_provider_dropcowboy.ledger.limits import allowance_after, read_allowance
from airflow_provider_dropcowboy.ledger.runs import Campaign, find_campaign
from airflow_provider_dropcowboy.ledger.sends import find_sends
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import State

BATCH_ROWS: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """What a dry run says of one row.

    :param foreign_id: of its message; None: the row makes none.
    :param phone: None: its number cannot be read, or the row makes no message.
    :param rule: that decided; None: none did, as for a row that was sent before.
    :param opens_at: aware; when a held row may be called. None: nobody waits for it.
    """

    state: State
    reason: str | None
    contact_key: str | None = field(repr=False)
    foreign_id: str | None = None
    phone: Phone | None = None
    rule: str | None = None
    opens_at: datetime | None = None


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
    with Seen() as keys, Unsent() as unsent:
        judge = Judge(plan, identity, seen=keys)
        if suppressed is not None:
            judge.read_suppressed(suppressed)
            tally.unreadable_suppressions = suppressed.unreadable
        source = iter(rows)
        while read := list(islice(source, LOOK_ROWS)):
            if ledger is not None and not campaign.is_new:
                read = _count_sent(ledger, judge, read, tally=tally, outlook=outlook, observe=observe)
            for start in range(0, len(read), BATCH_ROWS):
                some = read[start : start + BATCH_ROWS]
                batch = judge.judge(some)
                tally.read += len(some) - batch.elsewhere
                met = unsent.owners([candidate.message.number_digest for candidate in batch.candidates])
                judgement, ready = screen_candidates(
                    ledger,
                    campaign,
                    candidates=batch.candidates,
                    rules=plan.claim_rules,
                    met=met,
                    foreseen=tally.states[State.READY],
                )
                for verdict in batch.verdicts:
                    tally.count(verdict.state, verdict.reason)
                tally.count_unclaimed(judgement, run_id=None)
                unsent.add_all(judgement)
                tally.states[State.READY] += len(ready)
                unsent.add((candidate.message, State.READY) for candidate in ready)
                for row in _rows(judgement, ready, outlook=outlook):
                    if observe is not None:
                        observe(row)
                if observe is not None:
                    for verdict in batch.verdicts:
                        observe(JudgedRow(verdict.state, verdict.reason, verdict.key))
    tally.check_rows()
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
    warn_if_nothing_would_be_sent(summary)
    return summary


def _count_sent(
    ledger: Ledger, judge: Judge, rows: Rows, *, tally: Tally, outlook: Outlook, observe: Observer | None
) -> list[Mapping[str, object]]:
    """Count the rows that were sent before; the others of this partition are returned, and are to be judged."""
    named = judge.name(rows)
    sends = find_sends(ledger, [name for each in named for name in each.names])
    sent, repeated, rest = judge.set_apart(named, sends, run_id=None)
    tally.read += len(sent) + len(repeated)
    for each in sent:
        found, contact = each.found, judge.contact(each.row)
        tally.count_sent(found)
        phone = contact.phone if isinstance(contact, Contact) else None
        if isinstance(contact, Contact):
            outlook.place(contact.phone, found.state, postal_code=contact.postal_code)
        if observe is not None:
            observe(JudgedRow(found.state, found.reason, each.key, each.foreign_id, phone))
    for verdict in repeated:
        tally.count(verdict.state, verdict.reason)
        if observe is not None:
            observe(JudgedRow(verdict.state, verdict.reason, verdict.key))
    return rest


def _campaign(plan: Plan, ledger: Ledger | None) -> Campaign:
    """As the ledger knows it; caps and lists of other campaigns hold too for one that was never begun."""
    account = plan.account.name
    known = ledger and find_campaign(ledger, account, name=plan.campaign, channel=plan.channel)
    return known or Campaign(0, account, plan.campaign, plan.channel, "", True)


def screen_candidates(
    ledger: Ledger | None,
    campaign: Campaign,
    *,
    candidates: Sequence[Candidate],
    rules: ClaimRules = NO_RULES,
    met: Mapping[str, str] | None = None,
    foreseen: int = 0,
) -> tuple[Judgement, list[Candidate]]:
    """What a claim would say of a batch now, and what it would claim; pauses are not looked at.

    :param ledger: None: an empty one.
    :param met: numbers of earlier batches: number digest to foreign_id; None: none.
    :param foreseen: sends that earlier batches came to.
    """
    if ledger is None:
        allowance = allowance_after(foreseen, **rules.limits)
        records = Records(facts=facts_of(rules, allowance, at=utcnow(), campaign_id=campaign.id))
        records.facts.owners = dict(met or {})
    else:
        with ledger.reading() as connection:
            records = read_records(
                connection,
                campaign,
                candidates=candidates,
                rules=rules,
                met=met or {},
                at=now(connection),
                foreseen=foreseen,
            )
    judgement = Judgement()
    free = sort_out(candidates, records=records, rules=rules, judgement=judgement)
    return judgement, [candidate for candidate, _row in free]


def _allowed(plan: Plan, ledger: Ledger | None, campaign: Campaign, *, foreseen: int) -> int | None:
    """Sends that limit and budget leave for later waves; None: any number."""
    limits = plan.claim_rules.limits
    if ledger is None:
        allowance = allowance_after(foreseen, **limits)
    else:
        with ledger.reading() as connection:
            allowance = read_allowance(connection, campaign, foreseen=foreseen, **limits)
    return None if allowance is None else allowance.sends


def _rows(judgement: Judgement, ready: Sequence[Candidate], *, outlook: Outlook) -> Iterator[JudgedRow]:
    """The rows of a batch that made messages; each goes into the outlook as well."""
    for row in judgement.already:
        outlook.place(row.message.phone, row.state, postal_code=row.message.postal_code)
        yield _row(row.message, row.state, row.reason)
    for message, verdict in judgement.stopped:
        outlook.stop(message, verdict)
        yield _row(message, verdict.state, verdict.reason, opens_at=verdict.opens_at)
    for candidate in ready:
        outlook.send(candidate)
        yield _row(candidate.message, State.READY, None, rule=candidate.rule)


def _row(
    message: Message, state: State, reason: str | None, *, rule: str | None = None, opens_at: datetime | None = None
) -> JudgedRow:
    return JudgedRow(state, reason, message.contact_key, message.foreign_id, message.phone, rule, opens_at)
