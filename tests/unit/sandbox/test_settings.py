"""Settings of the sandbox, and its command line."""

import pytest
from click.testing import CliRunner

from airflow_provider_dropcowboy.sandbox.__main__ import sandbox
from airflow_provider_dropcowboy.sandbox.settings import Limits, Settings, SettingsError


def test_a_change_leaves_the_rest_as_it_was() -> None:
    changed = Settings(callback_delay_s=3).changed({"latency_ms": 50})
    assert (changed.latency_ms, changed.callback_delay_s) == (50, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "x"},
        {"latency_ms": -1},
        {"latency_ms": "fast"},
        {"latency_ms": True},
        {"max_concurrency": 0},
        {"rate_per_s": 0},
        {"outcomes": ["success"]},
        {"outcomes": {"success": 0.2}},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Settings().changed(changes)


def test_settings_are_shown_without_the_secret() -> None:
    settings = Settings(secret="hidden")
    assert "hidden" not in repr(settings)
    assert "secret" not in settings.shown()


def test_too_many_at_once_are_not_admitted() -> None:
    limits = Limits(Settings(max_concurrency=2))
    assert [limits.admits(in_flight=count) for count in (1, 2, 3)] == [True, True, False]


def test_a_slow_rate_lets_one_through() -> None:
    limits = Limits(Settings(rate_per_s=0.001))
    assert [limits.admits(in_flight=1) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fault", "loose_answer"], "loose_answer"),
        (["--fault", "lose_answer=often"], "often"),
        (["--outcome", "success"], "NAME=SHARE"),
        (["--outcome", "success=0.5"], "add up"),
        (["--team-id", ""], "team_id"),
        (["--latency-ms", "-5"], "latency_ms"),
    ],
)
def test_wrong_use_ends_with_exit_code_2_and_says_why(words: list[str], said: str) -> None:
    result = CliRunner().invoke(sandbox, words)
    assert result.exit_code == 2
    assert said in result.output
