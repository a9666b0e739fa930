"""All rules in one order, whatever is known when they are looked at."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_provider_dropcowboy.api.content import Rvm
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Consent, Facts, Message, Need, Ruling, screen

NOW = datetime(2026, 11, 24, 17, tzinfo=UTC)
DAY = timedelta(days=1)
MESSAGE = Message(
    foreign_id="f", contact_key="k", phone=Phone("+15045550100"), content=Rvm(brand_id="b"), number_digest="n",
    content_digest="c",
)  # fmt: skip
RULES = [
    "no consent in ok",
    "on the suppression list",
    "state_ban: open: the law",
    "no consent: the law needs consent: written; calling hours 1",
    "on the ledger's suppression list",
    "another key has the same number",
    "1 attempts on the number within 24 hours",
    "calling hours: ended: the law",
    "over the limit",
]
"""The reasons that docs/screening.md lists, in its order."""


def reason(*broken: int, at: datetime = NOW, is_repeat: bool = False) -> str | None:
    """What stops a message that breaks these of the rules."""
    ruling = Ruling(
        True, NOW + DAY if 7 not in broken else NOW, NOW + 2 * DAY, is_banned=2 in broken, rule="open: the law",
        needs=(Need((frozenset({Consent.WRITTEN}),), "the law"),) if 3 in broken else (), version="1",
    )  # fmt: skip
    candidate = Candidate(MESSAGE, ruling, RULES[0] if 0 in broken else None, is_listed=1 in broken)
    attempt = SimpleNamespace(claimed_at=NOW, content_digest="other", campaign_id=7)
    facts = Facts(
        at=at,
        suppressed={"n"} if 4 in broken else (),
        owners={"n": "another"} if 5 in broken else {},
        attempts={"n": [attempt]} if 6 in broken else {},
        caps=((1, DAY),),
        left=0 if 8 in broken else 1,
        over=RULES[8],
    )
    verdict = screen(candidate, facts, is_repeat=is_repeat)
    return None if verdict is None else verdict.reason


@pytest.mark.parametrize("first", range(len(RULES)))
def test_the_first_rule_that_a_message_breaks_decides(first: int) -> None:
    assert reason(first) == RULES[first]
    assert reason(*range(first, len(RULES))) == RULES[first]


def test_a_message_that_breaks_no_rule_is_sent_until_its_hours_end() -> None:
    assert reason() is None
    assert reason(at=NOW + DAY) == RULES[7]


def test_the_very_same_request_counts_once_against_caps_and_limits_and_is_stopped_by_every_other_rule() -> None:
    assert reason(6, 8, is_repeat=True) is None
    assert [reason(rule, is_repeat=True) for rule in (4, 5, 7)] == [RULES[4], RULES[5], RULES[7]]


def test_two_new_messages_to_one_number_or_over_the_limit_are_told_apart_by_the_facts_that_screening_keeps() -> None:
    facts = Facts(at=NOW, left=1, over="over the limit")
    other = Candidate(Message(
        foreign_id="g", contact_key="l", phone=MESSAGE.phone, content=MESSAGE.content, number_digest="n",
        content_digest="c",
    ))  # fmt: skip
    assert screen(Candidate(MESSAGE), facts) is None
    assert (facts.left, facts.owners) == (0, {"n": "f"})
    verdict = screen(other, facts)
    assert verdict is not None
    assert verdict.reason == RULES[5]
