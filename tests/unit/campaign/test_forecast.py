"""A dry run says whom a run would reach where, in which waves, from when until when, and for how much."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.forecast import Forecast
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.contacts.contact import ContactColumns, Template
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State

SIX_IN_NEW_YORK = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)
NEW_YORK, CHICAGO, HONOLULU = "+1212555{:04}", "+1312555{:04}", "+1808555{:04}"
A_CENT = 10_000  # in millionths of a dollar


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SIX_IN_NEW_YORK, tick=False) as traveller:
        yield traveller


def people(numbers: str, count: int) -> list[Mapping[str, object]]:
    return [{"phone": numbers.format(n), "zip": None} for n in range(100, 100 + count)]


def everywhere() -> list[Mapping[str, object]]:
    """Of three zones, in no order."""
    return [*people(HONOLULU, 10), *people(NEW_YORK, 40), *people(CHICAGO, 20)]


def dry_run(
    rows: Sequence[Mapping[str, object]], *, waits_for: timedelta | None = timedelta(days=1), **changes: object
) -> Summary:
    settings: dict[str, object] = {
        "account": Account("team", Secret("secret"), "https://api.dropcowboy.com/v1"),
        "campaign": "spring",
        "template": RvmTemplate(brand_id="b", recording_id="r"),
        "columns": ContactColumns(postal_code_column="zip"),
        "hours": CallingHours.load(Mode.FEDERAL, channel="rvm", message_kind="marketing"),
        "concurrency": 5,
    }
    plan = Plan(**{**settings, **changes})  # type: ignore[arg-type]  # the tests' own
    return preview_campaign(plan, None, rows=rows, waits_for=waits_for)


def foreseen(summary: Summary) -> Forecast:
    assert summary.forecast is not None
    return summary.forecast


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """That day, in UTC."""
    return datetime(2026, 12, 2, hour, minute, second, tzinfo=UTC)


def test_each_opening_is_a_wave() -> None:
    forecast = foreseen(dry_run(everywhere()))
    waves = [(wave.sends, wave.begins_at, wave.ends_at) for wave in forecast.waves]
    assert waves == [  # five requests at once, half a second each: ten a second
        (40, at(13), at(13, 0, 4)),
        (20, at(14), at(14, 0, 2)),
        (10, at(18), at(18, 0, 1)),
    ]
    assert (forecast.begins_at, forecast.ends_at, forecast.sends) == (at(13), at(18, 0, 1), 70)


def test_a_wave_that_takes_long_puts_off_the_next() -> None:
    forecast = foreseen(dry_run(everywhere(), rate_per_s=40 / 4_000))
    assert [wave.begins_at for wave in forecast.waves] == [at(13), at(14, 6, 40), at(18)]


def test_those_who_may_be_called_now_are_the_first_wave(clock: time_machine.Traveller) -> None:
    clock.move_to(at(15, 30))
    forecast = foreseen(dry_run(everywhere()))
    assert [(wave.sends, wave.begins_at) for wave in forecast.waves] == [(60, at(15, 30)), (10, at(18))]
    assert forecast.hours_end_at == datetime(2026, 12, 3, 1, 45, tzinfo=UTC)


def test_what_the_run_does_not_wait_for_is_left() -> None:
    assert foreseen(dry_run(everywhere(), waits_for=timedelta(hours=3))).left == {at(18): 10}
    forecast = foreseen(dry_run(everywhere(), waits_for=None))
    assert forecast.left == {at(13): 40, at(14): 20, at(18): 10}
    assert (forecast.sends, forecast.begins_at, forecast.ends_at) == (0, None, None)


def test_the_limit_holds_over_all_waves() -> None:
    forecast = foreseen(dry_run(everywhere(), claim_rules=ClaimRules(limit=45)))
    assert [wave.sends for wave in forecast.waves] == [40, 5]


def test_the_cost_is_the_connections_price_for_each_send() -> None:
    assert foreseen(dry_run(everywhere(), claim_rules=ClaimRules(price_micros=A_CENT))).as_dict()["cost_usd"] == 0.7
    rules = ClaimRules(price_micros=A_CENT, budget_micros=45 * A_CENT + 1)
    assert foreseen(dry_run(everywhere(), claim_rules=rules)).as_dict()["cost_usd"] == 0.45


def test_without_a_price_the_cost_is_said_to_be_unknown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        forecast = foreseen(dry_run(everywhere()))
    assert forecast.as_dict()["cost_usd"] is None
    assert any("the cost is not known, since the connection has no price" in line for line in caplog.messages)


def test_rows_are_counted_by_the_called_partys_state_and_zone(clock: time_machine.Traveller) -> None:
    clock.move_to(at(15, 30))
    both = {"phone": "+12125550999", "zip": "90210"}  # New York's area code, a Californian postal code
    free = {"phone": "+18005550199", "zip": None}
    forecast = foreseen(dry_run([*everywhere(), both, free]))
    assert forecast.regions == {
        "US-NY": {State.READY: 40},
        "US-IL": {State.READY: 20},
        "US-HI": {State.HELD: 10},
        "several": {State.HELD: 1},
        "unknown": {State.HELD: 1},
    }
    assert forecast.zones["America/Chicago"] == {State.READY: 20}
    assert forecast.zones["Pacific/Honolulu"] == {State.HELD: 10}


def test_states_are_told_with_the_hours_switched_off_too() -> None:
    assert foreseen(dry_run(everywhere(), hours=None)).regions["US-HI"] == {State.READY: 10}


def test_texts_that_a_rows_value_takes_out_of_gsm_are_counted_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    template = SmsTemplate(caller_id="+15045550199", pool_id="p", sms_body=Template.parse("Hi {name}"))
    names = ("Zoë", "Zoé", "Ann 🎉", "Bob")
    rows = [{**row, "name": name} for row, name in zip(people(NEW_YORK, 4), names, strict=True)]
    assert foreseen(dry_run(rows, template=template)).outside_gsm == 2
    assert "2 texts hold a character outside GSM 03.38" in caplog.text


def test_the_result_is_small_and_the_log_tells_it_and_neither_holds_a_number(caplog: pytest.LogCaptureFixture) -> None:
    many = [row for numbers in (NEW_YORK, CHICAGO, HONOLULU) for row in people(numbers, 900)]
    with caplog.at_level(logging.INFO):
        shown = json.dumps(dry_run(many).as_dict())
    assert len(shown) < 1_500
    log = "\n".join(caplog.messages)
    assert "dry run: wave 3: 900 sends from Wed 2026-12-02 18:00:00" in log
    assert "dry run: by state: US-HI: 900 held; US-IL: 900 held; US-NY: 900 held" in log
    assert "555" not in shown + log


def test_hours_that_end_before_everybody_is_asked_are_warned_of(
    clock: time_machine.Traveller, caplog: pytest.LogCaptureFixture
) -> None:
    clock.move_to(at(15, 30))
    dry_run(everywhere())
    assert "calling hours end at" not in caplog.text
    assert foreseen(dry_run(everywhere(), rate_per_s=0.001)).is_late
    assert "calling hours end at 2026-12-03T01:45+00:00" in caplog.text
