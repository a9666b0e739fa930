"""Rows that wait for their calling hours, on the page of their campaign."""

from datetime import UTC, datetime

from airflow_provider_dropcowboy.screening.screen import Ruling
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.integration.reports.page.page_server import PageServer, text_of

OPENING = datetime(2031, 5, 6, 13, tzinfo=UTC)


class Closed:
    """Nobody may be called before a moment."""

    version = "tests"

    def judge(self, e164: str, *, postal_code: str | None, at: datetime) -> Ruling:
        return Ruling(False, None, OPENING, is_banned=False, rule="tests: closed", regions=("US-CA",))


def test_held_rows_are_shown_with_their_next_opening(plan: MakePlan, run: RunPlan, page: PageServer) -> None:
    closed = plan(hours=Closed())
    run(closed, people(3))
    text = text_of(page.get("campaign", account=closed.account.name, campaign="spring"))
    assert "Held until Tue 1:00 PM UTC (9:00 AM EDT)" in text
    assert "Run the task again then." in text
    assert "US-CA 3 Tue 1:00 PM UTC (9:00 AM EDT)" in text


def test_a_campaign_that_goes_on_by_itself_waits(plan: MakePlan, run: RunPlan, page: PageServer) -> None:
    closed = plan(hours=Closed(), waits_until=OPENING)
    run(closed, people(3))
    text = text_of(page.get("campaign", account=closed.account.name, campaign="spring"))
    assert "Waiting until Tue 1:00 PM UTC (9:00 AM EDT)" in text
