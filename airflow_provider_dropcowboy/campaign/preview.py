"""A dry run: the same judgement as a run, with nothing written and nothing sent."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import chain, islice
from typing import Final

from airflow_provider_dropcowboy.campaign.beginning import check_account, old_objects_left_alone, warn_of_plan
from airflow_provider_dropcowboy.campaign.ending import is_all_done, warn_of_bans, why_nothing
from airflow_provider_dropcowboy.campaign.forecast import Forecast, JudgedRow, Outlook, judged_rows
from airflow_provider_dropcowboy.campaign.judge import LOOK_ROWS, Judge
from airflow_provider_dropcowboy.campaign.messages import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan, Rows
from airflow_provider_dropcowboy.campaign.seen import Seen, Unsent
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.foresight import Foresight
from airflow_provider_dropcowboy.screening.screen import Verdict
from airflow_provider_dropcowboy.states import State

BATCH_ROWS: Final = 500

log = logging.getLogger(__name__)


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

    :param ledger: None: there is none yet, so nobody was contacted before.
    :param observe: is called with every row, in no certain order within a batch.
    :param waits_for: how long the run would wait for openings; None: it sends one wave.
    :returns: counts in which ``ready`` are the rows that would be sent, with a forecast.
    :raises ConfigurationError: the source lacks a column, or cannot be read.
    """
    if ledger is not None:
        check_account(plan, ledger)
    warn_of_plan(plan)
    started_at = time.monotonic()
    tally = Tally()
    outlook = Outlook(plan, at=utcnow(), waits_for=waits_for)
    foresight = Foresight(ledger, plan.account.name, name=plan.campaign, channel=plan.channel, rules=plan.claim_rules)
    identity = Identity.of(foresight.key, foresight.campaign)
    with Seen() as keys, Unsent() as unsent, old_objects_left_alone():
        judge = Judge(plan, identity, seen=keys, has_sends=ledger is not None)
        if suppressed is not None:
            judge.read_suppressed(suppressed)
            tally.unreadable_suppressions = suppressed.unreadable
        source = iter(rows)
        while read := list(islice(source, LOOK_ROWS)):
            if not foresight.campaign.is_new:
                read = _count_sent(foresight, judge, read, tally=tally, outlook=outlook, observe=observe)
            for start in range(0, len(read), BATCH_ROWS):
                some = read[start : start + BATCH_ROWS]
                batch = judge.judge(some)
                tally.read += len(some) - batch.elsewhere
                met = unsent.owners([candidate.message.number_digest for candidate in batch.candidates])
                judgement, ready = foresight.screen(batch.candidates, met=met)
                for verdict in batch.verdicts:
                    tally.count(verdict.state, verdict.reason)
                tally.count_unclaimed(judgement, run_id=None)
                unsent.add_all(judgement)
                tally.states[State.READY] += len(ready)
                unsent.add((candidate.message, State.READY) for candidate in ready)
                outlook.add(batch.candidates, judgement=judgement, ready=ready)
                if observe is not None:
                    for row in chain(map(_without_message, batch.verdicts), judged_rows(judgement, ready)):
                        observe(row)
    tally.check_rows()
    forecast = outlook.forecast(allowed=foresight.allowed())
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
    _warn_of_forecast(forecast)
    _warn_if_nothing_would_be_sent(summary)
    return summary


def _count_sent(
    foresight: Foresight, judge: Judge, rows: Rows, *, tally: Tally, outlook: Outlook, observe: Observer | None
) -> list[Mapping[str, object]]:
    """Count the rows that were sent before; the others of this partition are returned, and are to be judged."""
    named = judge.name(rows)
    sends = foresight.sends([name for each in named for name in each.names])
    sent, repeated, rest = judge.set_apart(named, sends, run_id=None)
    tally.read += len(sent) + len(repeated)
    for each in sent:
        tally.count_sent(each.found)
        contact = judge.contact(each.row)
        phone = None if contact is None else contact.phone
        if contact is not None:
            outlook.add_sent(contact, each.found.state)
        if observe is not None:
            observe(JudgedRow(each.found.state, each.found.reason, each.key, each.foreign_id, phone))
    for verdict in repeated:
        tally.count(verdict.state, verdict.reason)
        if observe is not None:
            observe(_without_message(verdict))
    return rest


def _without_message(verdict: Verdict) -> JudgedRow:
    return JudgedRow(verdict.state, verdict.reason, verdict.key)


def _warn_of_forecast(forecast: Forecast) -> None:
    """After a dry run: texts that cost more, and a run that would not be done before calling hours end."""
    if forecast.outside_gsm:
        log.warning(
            "%d texts hold a character outside GSM 03.38, by a row's value or by sms_body: each goes out in parts of "
            "70 characters, which may cost more",
            forecast.outside_gsm,
        )
    if forecast.is_late:
        log.warning(
            "at %.0f requests a second, it takes until %s to send what may be sent now, and the first calling hours "
            "end at %s: the rest is held until the next day. Begin earlier, or raise concurrency",
            forecast.rate_per_s,
            forecast.waves[0].ends_at.isoformat(timespec="minutes"),
            forecast.hours_end_at and forecast.hours_end_at.isoformat(timespec="minutes"),
        )


def _warn_if_nothing_would_be_sent(summary: Summary) -> None:
    """The last line of a dry run after which nothing would be sent."""
    if summary.forecast is not None and not summary.forecast.sends and not is_all_done(summary):
        log.warning("Nothing would be sent: %s", why_nothing(summary))
