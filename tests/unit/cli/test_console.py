"""How answers look."""

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_dropcowboy.cli.console import print_json, print_pairs, print_table

LAST_RUN_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_name_from_outside_cannot_steer_the_terminal_or_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "name"], [("1", "\x1b[31mred\x07"), ("2", "[bold]loud[/bold]")])
    print_pairs([("name", "\x1b[2J")])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]loud[/bold]" in shown


def test_what_is_not_known_and_what_is_yes_or_no_can_be_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id", "registered", "api", "numbers"], [("a", None, True, 3), ("b", False, True, None)])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["a", "-", "yes", "3"] in rows
    assert ["b", "no", "yes", "-"] in rows


def test_an_instant_in_json_is_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"at": datetime(2026, 11, 24, 12, tzinfo=UTC), "name": "Zoë"}])
    assert json.loads(capsys.readouterr().out) == [{"at": "2026-11-24T12:00:00+00:00", "name": "Zoë"}]


CAMPAIGN = "nightly_reminders.send_voicemails@2026-11-24T00:00:00Z"
STATE = "waiting until 2026-11-25 13:00 UTC"
SENDS = "10,000 delivered, 1,200 accepted, 35 failed, 7 unknown"


@pytest.mark.parametrize("width", ["80", "100", "200"])
@pytest.mark.parametrize("name", ["spring", CAMPAIGN])
def test_no_word_of_a_table_is_broken(
    name: str, width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    print_table(["campaign", "channel", "state", "last run", "sends"], [(name, "rvm", STATE, LAST_RUN_AT, SENDS)])
    shown = capsys.readouterr().out
    assert {name, "channel", "rvm", "waiting", "2026-11-25", "10,000", "delivered,", "unknown"} <= set(shown.split())
    assert all(len(line) <= int(width) for line in shown.splitlines())


def test_a_table_that_is_too_wide_shows_each_row_below_the_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(["campaign", "channel", "last run"], [(CAMPAIGN, "rvm", LAST_RUN_AT), (f"{CAMPAIGN * 2}", "sms", None)])
    assert capsys.readouterr().out.splitlines() == [
        CAMPAIGN,
        "  channel   rvm",
        "  last run  2026-11-24 12:00:00 UTC",
        f"{CAMPAIGN * 2}",
        "  channel   sms",
        "  last run  -",
    ]
