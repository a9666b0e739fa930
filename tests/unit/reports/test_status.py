"""What a campaign is doing, by the newest run of each of its tasks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_dropcowboy.reports.status import DIED, Phase, Status, status_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


@dataclass(frozen=True)
class Last:
    has_died: bool = False
    error: str | None = None
    stop_reason: str | None = None
    next_opening_at: datetime | None = None
    waits: bool = False


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([], Status(phase=Phase.FINISHED)),
        ([Last(), Last(has_died=True)], Status(phase=Phase.STOPPED, why=DIED, has_failed=True)),
        ([Last(error="All refused.")], Status(phase=Phase.STOPPED, why="All refused.", has_failed=True)),
        ([Last(stop_reason="SIGINT")], Status(phase=Phase.STOPPED, why="SIGINT")),
        ([Last(), Last(next_opening_at=SOON)], Status(phase=Phase.WAITING, opens_at=SOON)),
        ([Last(next_opening_at=BEFORE, waits=True)], Status(phase=Phase.WAITING, opens_at=BEFORE, waits=True)),
        ([Last(next_opening_at=BEFORE)], Status(phase=Phase.FINISHED)),
    ],
)
def test_the_newest_run_of_each_task_says_how_a_campaign_stands(runs: list[Last], status: Status) -> None:
    assert status_of(runs, is_sending=False, is_paused=False, at=NOW) == status
    assert status_of(runs, is_sending=False, is_paused=True, at=NOW).phase is Phase.PAUSED
    assert status_of(runs, is_sending=True, is_paused=True, at=NOW).phase is Phase.SENDING
