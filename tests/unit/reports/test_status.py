"""What a campaign is doing, by the newest run of each of its tasks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.reports.status import DIED, Phase, Run, Status, status_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def last(*, has_died: bool = False, **values: Any) -> Run:
    return Run(started_at=BEFORE, ended_at=None if has_died else NOW, **values)


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([], Status(phase=Phase.FINISHED)),
        ([last(), last(has_died=True)], Status(phase=Phase.STOPPED, why=DIED, has_failed=True)),
        ([last(error="All refused.")], Status(phase=Phase.STOPPED, why="All refused.", has_failed=True)),
        ([last(stop_reason="SIGINT")], Status(phase=Phase.STOPPED, why="SIGINT")),
        ([last(), last(next_opening_at=SOON)], Status(phase=Phase.WAITING, opens_at=SOON)),
        ([last(next_opening_at=BEFORE, waits=True)], Status(phase=Phase.WAITING, opens_at=BEFORE, waits=True)),
        ([last(next_opening_at=BEFORE)], Status(phase=Phase.FINISHED)),
    ],
)
def test_the_newest_run_of_each_task_says_how_a_campaign_stands(runs: list[Run], status: Status) -> None:
    assert status_of(runs, is_sending=False, is_paused=False, at=NOW) == status
    assert status_of(runs, is_sending=False, is_paused=True, at=NOW).phase is Phase.PAUSED
    assert status_of(runs, is_sending=True, is_paused=True, at=NOW).phase is Phase.SENDING
