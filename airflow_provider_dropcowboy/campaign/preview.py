"""A dry run: the same judgement as a run, with nothing written and nothing sent."""

import logging
import secrets
import time
from typing import Final

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.ledger.claims import preview
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.runs import find_campaign
from airflow_provider_dropcowboy.states import State

BATCH_ROWS: Final = 500

log = logging.getLogger(__name__)


def preview_campaign(plan: Plan, ledger: Ledger | None, *, rows: Rows, suppressed: Rows | None = None) -> Summary:
    """Count what a run would do now.

    :param ledger: None: there is none yet, so nobody was asked before.
    :returns: counts in which ``ready`` are those that would be asked.
    :raises ConfigurationError: the source lacks a column, or cannot be read.
    """
    started_at = time.monotonic()
    tally = Tally()
    key = ledger.key if ledger else secrets.token_bytes(32)
    identity = Identity(key, plan.account.name, plan.campaign, plan.channel)
    campaign = ledger and find_campaign(ledger, plan.account.name, name=plan.campaign, channel=plan.channel)
    with Seen() as keys, Seen() as numbers:
        judge = Judge(plan, identity, rows=rows, suppressed=suppressed, seen=keys)
        while (batch := judge.next_batch(BATCH_ROWS)) is not None:
            for verdict in batch.verdicts:
                tally.count(verdict.state, verdict.reason)
            judgement = (
                preview(ledger, campaign, messages=batch.messages, rules=plan.claim_rules)
                if ledger and campaign
                else _all_free(batch.messages)
            )
            tally.count_unclaimed(judgement, run_id=None)
            for claim in judgement.claimed:
                # in a run the ledger would know by now that an earlier batch took the number
                if numbers.add(claim.message.number_digest):
                    tally.count(State.READY)
                else:
                    tally.count(State.DUPLICATE, "another key has the same number")
    summary = Summary.of(tally, campaign=plan.campaign, seconds=time.monotonic() - started_at)
    log.info("dry run, nothing is sent: %s", summary)
    return summary


def _all_free(messages: list[Message]) -> Judgement:
    judgement = Judgement(stopped=[message for message in messages if message.stop is not None])
    judgement.claimed = [Claim(message, 1, "") for message in messages if message.stop is None]
    return judgement
