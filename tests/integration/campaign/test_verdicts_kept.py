"""An auditor who asks years later why people were not called finds the rules, their version and the next opening."""

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from tests.integration.conftest import MakePlan, RunPlan

NEVER_IN_LOUISIANA = """
version = "acme-3"
[[rule]]
region = ["US-LA"]
mon_fri = "closed"
sat = "closed"
sun = "closed"
cite = "Ordinance 12"
source = "tests"
confidence = "S"
[[paused]]
region = "US-NY"
from = 2026-01-01T00:00:00-05:00
to = 2099-01-01T00:00:00-05:00
why = "state of emergency"
cite = "Executive order 9"
source = "tests"
confidence = "S"
"""


def test_each_run_keeps_its_verdicts_with_their_rules_and_version(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing", rules_text=NEVER_IN_LOUISIANA)
    phones = ("+15042000001", "+15042000002", "+12125550100", "+12065550100", "12")
    rows = [{"id": number, "phone": phone} for number, phone in enumerate(phones)]
    run(plan(hours=hours), rows)
    with ledger.reading() as connection:
        verdicts = connection.execute(sa.select(RUNS.c.verdicts)).scalar_one()
    # in the evening, the law of the country closes New York's hours too, and its name comes first
    (paused, one), (closed, two) = sorted(verdicts["held"].items(), key=lambda held: "US-LA" in held[0])
    assert (two, one) == (2, 1)
    assert closed.endswith(f"US-LA (Ordinance 12); calling hours {hours.version}")
    assert "US-NY (paused: state of emergency, Executive order 9)" in paused
    ((banned, number),) = verdicts["suppressed"].items()
    assert number == 1
    assert banned.startswith("state_ban: prerecorded sales messages are banned: US-WA (RCW 80.36.400")
    assert verdicts["invalid"] == {"phone: too short": 1}
