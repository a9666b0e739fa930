"""``dropcowboy report`` and ``dropcowboy export``."""

import csv
import json
import stat
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.ledger.campaigns import find_campaigns
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run, end_run
from tests.integration.cli.program import Program
from tests.integration.cli.shell import ledger_of, run
from tests.integration.sent import Sent, age, phone

pytestmark = pytest.mark.usefixtures("in_process")


def send(program: Program) -> None:
    """Five were asked; of two it is known how it ended."""
    with ledger_of(program) as ledger:
        sent = Sent(ledger)
        sent.ask(range(5))
        sent.tell(0, product_cost=0.1)
        sent.tell(1, status="failure", reason="Voicemail box full", product_cost=0.1)
        sent.end()
        age(ledger, timedelta(hours=5))


def test_a_report_shows_states_reasons_cost_and_times(program: Program) -> None:
    send(program)
    ended = run("report", "spring")
    assert ended.code == 0
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["sent", "5"] in lines
    assert ["accepted", "3", "60.0%"] in lines
    assert ["failed", "1", "20.0%", "Voicemail", "box", "full", "(1)"] in lines
    assert "cost 0.2000 US dollars, known for 2 sends" in " ".join(ended.stdout.split())
    assert "50 % within" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_a_report_is_also_json(program: Program) -> None:
    send(program)
    (told,) = run("report", "spring", "--json").json
    assert (told["campaign"], told["channel"], told["asked"], told["delivered"]) == ("spring", "rvm", 5, 1)
    assert told["reasons"] == [{"state": "failed", "reason": "Voicemail box full", "count": 1}]
    assert (told["cost_usd"], set(told["seconds_to_delivery"])) == (0.2, {"p50", "p90", "p99"})


def test_a_report_says_whom_the_last_run_did_not_ask_and_by_which_rule(program: Program) -> None:
    with ledger_of(program) as ledger:
        sent = Sent(ledger)
        end_run(ledger, sent.run, counts={"held": 9}, reason=None, verdicts={"held": {"before 8:00": 9}})
        again = begin_run(ledger, sent.campaign, who=Who(dag_id="daily", task_id="send", map_index=-1), wanted=1)
        verdicts = {"held": {"US-FL, rules 2026.1": 2}, "invalid": {"too short": 3, "no number": 1}}
        end_run(ledger, again, counts={"held": 2, "invalid": 4, "accepted": 5}, reason=None, verdicts=verdicts)
    lines = [line.split() for line in run("report", "spring").stdout.splitlines()]
    assert ["invalid", "4", "too", "short", "(3);", "no", "number", "(1)"] in lines
    assert ["held", "2", "US-FL,", "rules", "2026.1", "(2)"] in lines
    (told,) = run("report", "spring", "--json").json
    assert told["not_asked"] == [
        {"state": "invalid", "rows": 4, "reasons": {"too short": 3, "no number": 1}},
        {"state": "held", "rows": 2, "reasons": {"US-FL, rules 2026.1": 2}},
    ]


def test_the_life_of_one_message_is_told_without_its_number(program: Program) -> None:
    send(program)
    ended = run("report", "spring", "--contact", "1")
    assert ended.code == 0
    for told in ("failed (Voicemail box full)", "claimed", "answered", "callback"):
        assert told in ended.stdout
    (life,) = run("report", "spring", "--contact", "1", "--json").json
    assert [event["event"] for event in life["events"]] == ["claimed", "answered", "callback, applied"]
    assert "5042000001" not in ended.stdout + json.dumps(life)


def test_a_contact_that_was_never_asked_is_not_repeated(program: Program) -> None:
    send(program)
    ended = run("report", "spring", "--contact", "+15045559999")
    assert (ended.code, ended.stdout) == (2, "")
    assert "5559999" not in ended.stderr


def test_gaps_are_named_by_hour_and_campaign(program: Program) -> None:
    send(program)
    (gap,) = run("report", "--gaps", "--json").json
    assert (gap["campaign"], gap["untold"], gap["accepted"]) == ("spring", 3, 5)
    assert "without result" in run("report", "--gaps").stdout
    assert run("report", "--gaps", "--quiet-after", "1d", "--json").json == []


def test_an_export_has_one_row_a_send_and_replaces_the_former_one(program: Program) -> None:
    send(program)
    for _ in range(2):
        ended = run("export", "spring", "--output", "spring.csv")
        assert (ended.code, ended.stdout) == (0, "5 sends of campaign spring are in spring.csv.\n")
        with (program.folder / "spring.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert sorted(row["contact_key"] for row in rows) == ["0", "1", "2", "3", "4"]
        assert {row["phone_number"] for row in rows} == {phone(key).e164 for key in range(5)}
    for name in ("spring.jsonl", "spring.parquet"):
        ended = run("export", "spring", "--output", name, "--include-not-sent")
        assert (ended.code, ended.stdout) == (0, f"5 rows of campaign spring are in {name}.\n")
        assert (program.folder / name).stat().st_size
        assert stat.S_IMODE((program.folder / name).stat().st_mode) == 0o600
    assert not list(program.folder.glob(".*"))


def test_an_export_that_cannot_be_written_says_why(program: Program) -> None:
    send(program)
    ended = run("export", "spring", "--output", "nowhere/spring.csv")
    assert (ended.code, ended.stdout) == (2, "")
    assert "nowhere/spring.csv cannot be written: No such file or directory. Nothing was exported." in ended.stderr


def test_wrong_use_is_told_before_the_ledger_is_looked_for(program: Program) -> None:
    for words in (
        ("report",),
        ("report", "spring", "--gaps", "--contact", "1"),
        ("report", "spring", "--contact", " "),
        ("report", "--gaps", "--quiet-after", "soon"),
        ("export", "spring", "--output", "spring.xlsx"),
        ("export", "spring"),
    ):
        ended = run(*words)
        assert (ended.code, ended.stdout) == (2, ""), words
        assert "There is no ledger" not in ended.stderr


def test_an_unknown_campaign_is_met_with_similar_names(program: Program) -> None:
    send(program)
    ended = run("export", "sprang", "--output", "out.csv")
    assert ended.code == 2
    assert "Similar names: spring." in ended.stderr
    assert not (program.folder / "out.csv").exists()


def test_campaigns_are_listed_with_state_and_counts_and_found_by_filters(program: Program) -> None:
    send(program)
    (listed,) = json.loads(run("campaigns", "--json").stdout)
    assert (listed["campaign"], listed["channel"], listed["state"]) == ("spring", "rvm", "finished")
    assert listed["sends"] == {"accepted": 3, "delivered": 1, "failed": 1}
    assert "3 accepted, 1 delivered, 1 failed" in " ".join(run("campaigns").stdout.split())
    for fits in (["SPR"], ["--channel", "rvm"], ["--state", "finished"], ["--since", "2020-01-01"]):
        assert "spring" in run("campaigns", *fits).stdout
    for other in (["fall"], ["--channel", "sms"], ["--state", "sending"], ["--since", "2999-01-01"], ["--dag", "d"]):
        assert run("campaigns", *other).stdout == "No campaign matches.\n"


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ({}, "finished"),
        ({"reason": "the vendor is down"}, "stopped"),
        ({"reason": None, "next_opening_at": datetime(2999, 1, 1, tzinfo=UTC)}, "waiting"),
        (None, "sending"),
    ],
)
def test_a_listed_campaign_says_what_it_is_doing(program: Program, ends: dict[str, Any] | None, state: str) -> None:
    send(program)
    with ledger_of(program) as ledger:
        (campaign,) = find_campaigns(ledger, "spring")
        begun = begin_run(ledger, campaign, who=Who(dag_id="nightly"), wanted=1)
        if ends is not None:
            end_run(ledger, begun, counts={}, **{"reason": None, **ends})
    (listed,) = json.loads(run("campaigns", "--dag", "nightly", "--json").stdout)
    assert (listed["state"], listed["why"]) == (state, (ends or {}).get("reason"))
    assert state in run("campaigns", "--dag", "nightly").stdout


def test_a_misspelt_command_names_the_one_that_was_meant(program: Program) -> None:
    assert "No such command 'campain'. Did you mean 'campaigns'?" in run("campain").stderr
