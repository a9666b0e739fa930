"""Who is not logged in to Airflow sees nothing of what was sent."""

from playwright.sync_api import Page, expect

from tests.browser.login import log_in
from tests.browser.site import DAG_ID, Site


def test_who_is_not_logged_in_is_asked_to_and_then_led_to_the_page(stranger: Page, site: Site) -> None:
    stranger.goto(f"/dropcowboy-report/campaigns?q={DAG_ID}")
    expect(stranger.get_by_role("heading", name="Sign into Airflow")).to_be_visible()
    assert DAG_ID not in stranger.inner_text("body")

    log_in(stranger, password="guessed")
    expect(stranger.get_by_text("Invalid credentials")).to_be_visible()
    stranger.goto(f"/dropcowboy-report/campaigns?q={DAG_ID}")
    log_in(stranger)
    expect(stranger.get_by_role("link", name=f"{DAG_ID}.call")).to_be_visible()
