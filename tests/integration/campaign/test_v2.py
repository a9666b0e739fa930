"""Campaigns by API v2: a request in doubt is repeated under its key, and only under it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.campaign import claiming
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.contacts.contact import ContactColumns, Template
from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    ConfigurationError,
    DropCowboyError,
    NothingAcceptedError,
)
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.patience import reclaim_patiently
from airflow_provider_dropcowboy.ledger.suppressions import suppress
from airflow_provider_dropcowboy.sandbox.catalog import LIST_ID, RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.campaign.conftest import keys, sends
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.integration.sent import age
from tests.sandbox_process import SandboxProcess


def test_a_lost_answer_is_asked_again_at_once_and_nothing_is_sent_twice(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.fault("lose_answer", share=0.2)

    summary = run(plan_v2(), people(60))

    # an acceptance whose connection breaks in the next moment is in doubt, and the next run repeats it
    assert (set(summary.counts) <= {"accepted", "unknown"}, summary.asked) == (True, 60)
    assert summary.counts["accepted"] >= 55
    assert dict(run(plan_v2(), people(60)).counts) == {"accepted": 60}
    assert set(sandbox.takes_by_phone().values()) == {1}
    assert keys(sandbox)["first"] == 60
    assert keys(sandbox)["repeated"] > 0
    assert keys(sandbox)["conflicts"] == 0


def test_what_is_in_doubt_at_the_end_is_asked_again_by_the_next_run(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.fault("lose_answer")
    with pytest.raises(DropCowboyError):
        run(plan_v2(), people(5))
    assert {row.state for row in sends(ledger)} == {"unknown"}
    sandbox.clear_faults()

    again = run(plan_v2(), people(5))

    assert dict(again.counts) == {"accepted": 5}
    assert set(sandbox.takes_by_phone().values()) == {1}
    assert keys(sandbox)["first"] == 5
    assert keys(sandbox)["conflicts"] == 0


def test_doubt_older_than_the_vendors_memory_is_held(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.fault("lose_answer")
    with pytest.raises(DropCowboyError):
        run(plan_v2(), people(3))
    sandbox.clear_faults()
    age(ledger, timedelta(hours=23))

    with pytest.raises(NothingAcceptedError):
        run(plan_v2(), people(3))
    assert {row.state for row in sends(ledger)} == {"unknown"}
    assert set(sandbox.takes_by_phone().values()) == {1}


def test_a_machine_that_slept_longer_than_the_vendor_remembers_repeats_nothing(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep(*arguments: Any, **named: Any) -> tuple[Judgement, Deadline]:
        age(ledger, timedelta(hours=23))
        return reclaim_patiently(*arguments, **named)

    sandbox.fault("lose_answer", times=1)
    monkeypatch.setattr(claiming, "reclaim_patiently", asleep)

    assert dict(run(plan_v2(), people(3)).counts) == {"accepted": 2, "unknown": 1}
    assert {row.reason for row in sends(ledger)} == {None, claiming.KEY_OVER.reason}
    assert (keys(sandbox)["first"], keys(sandbox)["repeated"]) == (3, 0)


def test_a_message_in_doubt_stays_in_doubt_when_its_person_opts_out_before_the_repeat(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opted_out(*arguments: Any, claims: list[Claim], **named: Any) -> tuple[Judgement, Deadline]:
        suppress(ledger, [claim.message.phone for claim in claims], source="test")
        return reclaim_patiently(*arguments, claims=claims, **named)

    sandbox.fault("lose_answer", times=1)
    monkeypatch.setattr(claiming, "reclaim_patiently", opted_out)

    summary = run(plan_v2(), people(3))

    # its first request may have been accepted: the run says so, as the ledger does
    assert (dict(summary.counts), summary.asked) == ({"accepted": 2, "unknown": 1}, 3)
    (doubtful,) = (row for row in sends(ledger) if row.state == "unknown")
    assert doubtful.reason.startswith("not sent again: ")
    assert (keys(sandbox)["first"], keys(sandbox)["repeated"]) == (3, 0)


def test_doubt_is_held_when_the_request_would_be_another_one(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.fault("lose_answer")
    with pytest.raises(DropCowboyError):
        run(plan_v2(), people(3))
    sandbox.clear_faults()

    elsewhere = plan_v2(callback_url="https://hooks.example.com/")
    with pytest.raises(NothingAcceptedError):
        run(elsewhere, people(3))
    assert {row.state for row in sends(ledger)} == {"unknown"}
    assert keys(sandbox)["conflicts"] == 0


def test_a_limited_repeat_leaves_the_message_in_doubt(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.fault("lose_answer", times=1)
    sandbox.fault("429")
    with pytest.raises(DropCowboyError):
        run(plan_v2(), people(1))
    assert [row.state for row in sends(ledger)] == ["unknown"]
    sandbox.clear_faults()

    assert dict(run(plan_v2(), people(1)).counts) == {"accepted": 1}
    assert set(sandbox.takes_by_phone().values()) == {1}


def test_an_account_without_funds_is_stopped_before_the_first_claim(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.settings(funds_usd=0.0)
    with pytest.raises(AuthenticationError, match="no funds"):
        run(plan_v2(), people(3))
    sandbox.settings(funds_usd=100.0)

    assert (sends(ledger), sandbox.asks()) == ([], {})


@pytest.mark.parametrize(
    ("changes", "template", "named"),
    [
        ({"audio_url_allowed": False}, {"audio_url": "https://host/a.mp3"}, "`dropcowboy media upload`"),
        ({"byoc": False}, {"recording_id": RECORDING_ID, "sti_orig_id": "s", "sti_attestation": "A"}, "no carrier of"),
    ],
)
def test_what_the_account_may_not_do_is_told_before_the_first_claim(
    sandbox: SandboxProcess, plan_v2: MakePlan, run: RunPlan, changes: Any, template: Any, named: str
) -> None:
    sandbox.settings(**changes)
    with pytest.raises(AuthenticationError, match=named):
        run(plan_v2(template=RvmTemplate(**template)), people(3))
    sandbox.settings(audio_url_allowed=True)
    assert sandbox.asks() == {}


def test_wrong_credentials_are_refused_before_the_first_claim(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    account = plan_v2().account
    wrong = Account(account.login, Secret("not-the-secret"), account.base_url, api_version="v2")
    with pytest.raises(AuthenticationError):
        run(plan_v2(account=wrong), people(3))
    assert sandbox.asks() == {}


def test_a_team_that_moves_in_the_middle_of_a_campaign_contacts_nobody_twice(
    sandbox: SandboxProcess, plan: MakePlan, plan_v2: MakePlan, run: RunPlan
) -> None:
    run(plan(), people(20))

    moved = run(plan_v2(), people(40))

    assert dict(moved.counts) == {"accepted": 40}
    assert (moved.already, moved.asked) == (20, 20)
    assert set(sandbox.takes_by_phone().values()) == {1}


@pytest.mark.parametrize("before", ["old-key@api-v2.dropcowboy.com", "team@api.dropcowboy.com", "acme"])
def test_a_campaign_that_was_sent_under_another_key_waits_for_the_name_of_the_account(
    ledger: Ledger, plan_v2: MakePlan, run: RunPlan, before: str
) -> None:
    bind_campaign(ledger, before, name="spring", channel=Channel.RVM, prefix="p")
    account = Account("new-key", Secret("another-secret"), "https://api-v2.dropcowboy.com", api_version="v2")
    for go in (run, lambda plan, rows: preview_campaign(plan, ledger, rows=rows)):
        with pytest.raises(ConfigurationError, match=f'{{"account": "{before}"}}'):
            go(plan_v2(account=account), people(1))
    named = replace(account, given_name="new-key@api-v2.dropcowboy.com")
    assert preview_campaign(plan_v2(account=named), ledger, rows=people(1)).counts == {"ready": 1}
    another = plan_v2(account=account, campaign="summer")
    assert preview_campaign(another, ledger, rows=people(1)).counts == {"ready": 1}


def test_a_contact_of_the_vendors_is_sent_to_once_and_in_doubt_with_the_same_bytes(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    account = plan_v2().account
    with Client(account) as client:
        rows = [[str(row["phone"])] for row in people(3)]
        added = client.ask(vendor_of(account).append_contacts(LIST_ID, ["phone"], values=rows))
        assert added.accepted_count == 3
    ids = [added.contact_ids[index] for index in range(3)]
    source = [{**row, "vendor_id": vendor_id} for row, vendor_id in zip(people(3), ids, strict=True)]
    template = RvmTemplate(recording_id=RECORDING_ID, contact_id=Template(("", ""), ("vendor_id",)))
    plan = plan_v2(template=template, columns=ContactColumns(key_column="vendor_id"))
    sandbox.fault("lose_answer")
    with pytest.raises(DropCowboyError):
        run(plan, source)
    sandbox.clear_faults()

    moved = [{**source[0], "phone": "+15042000009"}, *source[1:], {**source[0], "vendor_id": None}]
    summary = run(plan, moved)

    # another number is another message, and a row without the ID is none: neither is sent to in its place
    assert dict(summary.counts) == {"unknown": 1, "accepted": 2, "invalid": 1}
    assert {row["phone"]: 1 for row in source} == sandbox.takes_by_phone()
    assert (keys(sandbox)["first"], keys(sandbox)["conflicts"]) == (3, 0)
    bodies = [send["first_body"] for send in sandbox.sends().values()]
    assert sorted(body["contact_id"] for body in bodies) == sorted(ids)
    assert not any("to" in body for body in bodies)


def test_a_contact_that_opted_out_by_its_number_is_not_sent_to_by_its_id(
    sandbox: SandboxProcess, plan_v2: MakePlan, run: RunPlan
) -> None:
    template = RvmTemplate(recording_id=RECORDING_ID, contact_id=Template(("", ""), ("vendor_id",)))
    plan = plan_v2(template=template, columns=ContactColumns(key_column="vendor_id"))
    rows: list[dict[str, object]] = [{"vendor_id": "a", "phone": "+15042000001"}, {"vendor_id": "b", "phone": None}]

    summary = run(plan, rows, suppressed=[{"phone": "+15042000001"}])

    assert dict(summary.counts) == {"suppressed": 1, "invalid": 1}
    assert sandbox.asks() == {}


def test_pictures_and_a_long_text_go_out_by_the_line(sandbox: SandboxProcess, plan_v2: MakePlan, run: RunPlan) -> None:
    text = SmsTemplate(sms_body=Template.parse("x" * 1_000), max_characters=1_600, media_urls=("https://host/a.png",))

    assert dict(run(plan_v2(template=text), people(1)).counts) == {"accepted": 1}
    (send,) = sandbox.sends().values()
    assert (send["first_body"]["body"], "caller_id" in send["first_body"]) == ("x" * 1_000, False)
    assert send["first_body"]["media_urls"] == ["https://host/a.png"]
