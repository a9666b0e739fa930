"""``dropcowboy rules``."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from airflow_provider_dropcowboy.cli.rules import rules
from airflow_provider_dropcowboy.screening.places import DATA
from airflow_provider_dropcowboy.screening.rule_files import load_rulebook

SOURCE = 'cite = "Counsel"\nsource = "her letter"\nconfidence = "V"\n'


@pytest.fixture(autouse=True)
def own_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's file, which lifts Minnesota's rules for voicemails."""
    path = tmp_path / "own.toml"
    path.write_text(f'version = "acme-3"\n[[rule]]\nregion = "US-MN"\nchannels = ["rvm"]\n{SOURCE}')
    monkeypatch.setenv("AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES", str(path))
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(rules, words, env={"COLUMNS": "200"})


def shipped(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """The shipped file with other texts in it."""
    text = "\n".join((DATA / name).read_text(encoding="utf-8") for name in ("rules.toml", "holidays.toml"))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "other.toml"
    path.write_text(text)
    return str(path)


def test_the_laws_of_a_state_are_shown_with_those_of_its_country_their_sources_and_dates() -> None:
    shown = run("show", "us-pa").output
    for words in (
        "2026.11.28+acme-3",
        "47 CFR 64.1200(c)(1)",
        "Act 47 of 2026",
        "Sun closed",
        "from 2026-10-18",
        "V, 2026-11-28",
    ):
        assert words in shown
    assert "Counsel" in run("show", "US-MN").output


def test_a_region_without_a_rule_is_named() -> None:
    ended = run("show", "Pennsylvania")
    assert ended.exit_code == 2
    assert "US-PA" in ended.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("+12155550100", "--at", "2026-10-18T15:00:00-04:00"), ("verdict           held", "2026-10-19 13:00:00 UTC")),
        (("+12155550100", "--at", "2026-10-17T15:00:00-04:00"), ("verdict           open", "2026-10-18 00:45:00 UTC")),
        (("+12065550100",), ("verdict           banned", "RCW 80.36.400", "insideprivacy.com")),
        (("+12065550100", "--message-kind", "informational"), ("RCW 80.36.390",)),
        (("+18045550100",), ("US-VA (Va. Code 59.1-518.2) needs consent: express", "self-law.org")),
        (("+16045550100",), ("1 in 30 days", "CA-BC", "express")),
        (("+12125550100", "--postal-code", "90210"), ("US-CA, US-NY", "America/Los_Angeles, America/New_York")),
    ],
)
def test_a_number_is_judged_with_its_laws_hours_and_sources(words: tuple[str, ...], said: tuple[str, ...]) -> None:
    shown = " ".join(run("check", *words).output.split())
    for text in said:
        assert " ".join(text.split()) in shown
    assert words[0][1:] not in shown  # a number is shown masked


def test_what_changes_between_two_files_is_shown_law_by_law(tmp_path: Path, own_rules: Path) -> None:
    old = shipped(
        tmp_path,
        ('version = "2026.11.28"', 'version = "2026.08.01"'),
        ('mon_fri = ["10:00", "21:00"]', 'mon_fri = ["09:00", "21:00"]'),
        ("2026-12-01, ", ""),
    )
    lines = run("diff", old, str(own_rules)).output.splitlines()
    assert lines[0] == "calling hours 2026.08.01 → 2026.11.28+acme-3"
    assert any(line.startswith("- US-KY rvm: Mon-Fri 09:00-21:00") for line in lines)
    assert any(line.startswith("+ US-KY rvm: every day 10:00-21:00") for line in lines)
    assert any(line.startswith("- US-MN rvm: sales messages only with consent: express") for line in lines)
    assert any(line.startswith("+ US-MN rvm: every day at any time (Counsel)") for line in lines)
    assert not any("US-FL" in line for line in lines)
    assert run("diff", old, old).output.splitlines() == ["calling hours 2026.08.01 → 2026.08.01"]
    assert run("diff", old).output.splitlines() == lines  # the rules in force here


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("version = ")
    ended = run("diff", str(wrong))
    assert ended.exit_code == 2
    assert "is not valid TOML" in ended.output


def test_how_old_the_tables_are_and_what_is_unverified_is_said() -> None:
    ended = run("stale", "--max-age", "9000d")
    assert ended.exit_code == 1  # the holidays end before
    for rule in load_rulebook().rules:
        assert (rule.label in ended.output) is (rule.confidence == "G" and rule.region != "US-MN")
    assert "careful reading" in ended.output
    assert "holidays are known until 2028-12-31" in ended.output
    assert run("stale", "--max-age", "soon").exit_code == 2
