"""The rows that were not sent are kept with their verdicts, and make up all rows together with the sends."""

from collections import Counter

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.contacts.contact import ContactColumns
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.ledger.campaigns import find_campaigns
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import METADATA, NOT_SENT
from airflow_provider_dropcowboy.reports.deliveries import CHUNK_ROWS, NOT_READ, Delivery, read_campaign
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from tests.integration.campaign.test_verdicts_kept import NEVER_IN_LOUISIANA
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

NUMBERS = ["+12125550101", "+12125550102", "+12125550103"]


def exported(ledger: Ledger) -> list[Delivery]:
    (campaign,) = find_campaigns(ledger, "spring")
    rows = list(read_campaign(ledger, campaign, include_not_sent=True))
    assert len({row.foreign_id for row in rows}) == len(rows)
    assert all(len(row.foreign_id) <= 48 for row in rows)
    return rows


def states(ledger: Ledger) -> Counter[str]:
    return Counter(row.state for row in exported(ledger))


def test_every_row_that_was_read_is_exported_once_with_its_verdict(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    rows: list[dict[str, object]] = [
        *({"id": key, "phone": phone, "opt_in": "yes"} for key, phone in enumerate(NUMBERS)),
        {"id": 0, "phone": NUMBERS[0], "opt_in": "yes"},  # the same key again, twice
        {"id": 0, "phone": NUMBERS[0], "opt_in": "yes"},
        {"id": 3, "phone": NUMBERS[1], "opt_in": "yes"},  # the same number
        {"id": 4, "phone": "12", "opt_in": "yes"},  # unusable, twice
        {"id": 4, "phone": "13", "opt_in": "yes"},
        {"id": 1, "phone": "14", "opt_in": "yes"},  # unusable, beside a row with the key that is sent
        {"id": None, "phone": "+12125550199", "opt_in": "yes"},
        {"id": 5, "phone": "+12125550105", "opt_in": "no"},
        {"id": 5, "phone": "15", "opt_in": "no"},  # unusable, beside a row with the key that is not sent
        {"id": 6, "phone": "+12125550106", "opt_in": "yes"},
        *({"id": 100 + key, "phone": "16", "opt_in": "yes"} for key in range(CHUNK_ROWS)),  # another chunk
    ]
    summary = run(plan(opt_in_column="opt_in"), rows, suppressed=[{"phone": "+12125550106"}])
    assert summary.read == len(rows)
    assert states(ledger) == summary.counts
    found = sorted((row.contact_key or "", row.state, row.reason) for row in exported(ledger))
    assert ("5", "suppressed", "no consent in opt_in") in found
    assert ("6", "suppressed", "on the suppression list") in found
    assert ("3", "duplicate", "another key has the same number") in found
    assert found.count(("0", "duplicate", "the same key came before")) == 2
    assert [key for key, state, _reason in found if state == "invalid" and len(key) < 3] == ["", "1", "4", "4", "5"]
    assert {row.phone_number for row in exported(ledger) if row.claimed_at is None} == {None}


def test_a_row_is_a_send_once_it_was_sent_and_withdrawn_once_it_is_gone(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    run(plan(), [*people(2), {"id": 7, "phone": "12"}, {"id": 8, "phone": "13"}])
    names = {row.contact_key: row.foreign_id for row in exported(ledger)}
    run(plan(), [*people(2), {"id": 7, "phone": "+12125550107"}])
    assert {(row.contact_key, row.state, row.reason) for row in exported(ledger)} == {
        ("0", "accepted", None),
        ("1", "accepted", None),
        ("7", "accepted", None),
        ("8", "withdrawn", NOT_READ),
    }
    assert {row.contact_key: row.foreign_id for row in exported(ledger)} == names


def test_a_row_that_was_held_and_cannot_be_used_now_is_exported_as_it_is_now(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    limited = plan(claim_rules=ClaimRules(limit=1))
    run(limited, people(2))
    names = {row.contact_key: row.foreign_id for row in exported(ledger)}
    summary = run(limited, [*people(1), {"id": 1, "phone": "12"}])
    assert states(ledger) == summary.counts == {"accepted": 1, "invalid": 1}
    assert {row.contact_key: row.foreign_id for row in exported(ledger)} == names
    summary = run(limited, [*people(2), {"id": 1, "phone": "12"}])
    assert states(ledger) == summary.counts == {"accepted": 1, "held": 1, "invalid": 1}
    run(limited, people(2))
    assert states(ledger) == {"accepted": 1, "held": 1}


def test_rows_of_two_tasks_with_one_key_are_exported_both_while_both_are_read(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    def task(name: str, limit: int) -> Plan:
        return plan(who=Who(dag_id="d", task_id=name), claim_rules=ClaimRules(limit=limit))

    held, unusable = people(2), [{"id": 1, "phone": "12"}]
    for first, second in (("a", "b"), ("b", "a")):  # whichever ran last
        for name in (first, second):
            run(task(name, 1), held if name == "a" else unusable)
        assert states(ledger) == {"accepted": 1, "held": 1, "invalid": 1}
    run(task("a", 2), held)
    assert states(ledger) == {"accepted": 2, "invalid": 1}, "one is sent, and the other task still reads its own"
    run(task("b", 2), [])
    assert states(ledger) == {"accepted": 2}


def test_a_released_send_whose_row_cannot_be_used_now_is_exported_as_it_is_now(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    sandbox.fault("429")
    with pytest.raises(DropCowboyError):
        run(plan(), people(1))
    assert states(ledger) == {"released": 1}
    assert run(plan(), [{"id": 0, "phone": "12"}]).counts == states(ledger) == {"invalid": 1}
    sandbox.clear_faults()
    assert run(plan(), people(1)).counts == states(ledger) == {"accepted": 1}


def test_a_held_row_names_its_rule_and_its_next_opening(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    rules = NEVER_IN_LOUISIANA.replace('mon_fri = "closed"', 'mon_fri = ["03:00", "03:01"]')
    hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing", rules_text=rules)
    summary = run(plan(hours=hours), [{"id": 1, "phone": "+15042000001"}, {"id": 2, "phone": "+12065550100"}])
    held, suppressed = sorted(exported(ledger), key=lambda row: row.state)
    assert (held.state, held.opens_at) == ("held", summary.next_opening)
    assert "US-LA (Ordinance 12)" in str(held.rule)
    assert suppressed.rule is not None
    assert suppressed.opens_at is None


def test_a_released_send_that_a_later_run_does_not_send_is_told_by_its_verdict(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    run(plan(), people(2))
    with ledger.writing() as connection:
        connection.execute(sa.text("UPDATE dropcowboy_sends SET state = 'released', owns_number = (1 = 0)"))
    run(plan(), people(2), suppressed=[{"phone": str(people(1)[0]["phone"])}])
    assert states(ledger) == {"suppressed": 1, "accepted": 1}


def test_each_partition_keeps_its_own_rows(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    rows: list[dict[str, object]] = people(10)
    rows.extend({"id": key, "phone": "12"} for key in (*range(100, 110), None, None))
    for number in (1, 2):
        part = Partition.parse(f"{number}/2")
        run(plan(partition=part, who=Who(dag_id="d", task_id="send", run_id="r", map_index=number)), rows)
    assert states(ledger) == {"accepted": 10, "invalid": 12}


def test_a_run_again_writes_nothing_of_rows_that_were_contacted(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    written: list[str] = []
    sa.event.listen(
        ledger.engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: written.append(statement)
    )
    for expected in (1, 0):
        written.clear()
        run(plan(), [*people(20), *({"id": 99, "phone": "12"} for _ in range(expected))])
        assert sum("INTO dropcowboy_not_sent" in statement for statement in written) == expected


def test_no_number_is_kept_of_somebody_who_was_not_contacted(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    rows = [{"phone": number, "name": "Zoë"} for number in (*NUMBERS, "12")]
    run(plan(columns=ContactColumns()), rows, suppressed=[{"phone": number} for number in NUMBERS])
    assert states(ledger) == {"suppressed": 3, "invalid": 1}
    with ledger.reading() as connection:
        assert connection.execute(sa.select(NOT_SENT.c.contact_key)).scalars().all() == [None] * 4
        left = repr([connection.execute(sa.select(table)).all() for table in METADATA.sorted_tables])
    assert "2125550" not in left
