"""How answers look."""

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_dropcowboy.cli.console import print_json, print_pairs, print_table


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
