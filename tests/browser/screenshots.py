"""The pictures of the documentation: ``python -m tests.browser.screenshots`` takes them anew into ``docs/images``."""

import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from playwright.sync_api import Page, expect, sync_playwright

import tests.conftest  # noqa: F401  # closes the processes off from the user's Airflow, as it does in tests
from tests.browser.chromium import find_chromium
from tests.browser.login import log_in
from tests.browser.site import DAG_ID, TASK_ID, Site

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
CONTACTS: Final = 180


def main() -> None:
    """Send a campaign, and photograph what Airflow shows of it."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        Site(Path(folder) / "home") as site,
    ):
        site.send(CONTACTS)
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright))
        light = browser.new_page(base_url=site.url, viewport={"width": 1280, "height": 1160})
        light.goto("/auth/login")
        log_in(light)
        light.wait_for_url(f"{site.url}/")
        photograph_task(light, site)
        dark = browser.new_context(
            base_url=site.url,
            storage_state=light.context.storage_state(),
            color_scheme="dark",
            viewport={"width": 1100, "height": 920},
        ).new_page()
        photograph_campaign(dark)
        browser.close()


def photograph_task(page: Page, site: Site) -> None:
    """The report beside a task instance."""
    page.goto(f"/dags/{DAG_ID}/runs/{quote(site.run_id, safe='')}/tasks/{TASK_ID}")
    page.locator("a[href$='/plugin/dropcowboy-task']").click()
    expect(page.frame_locator("iframe[title='Campaign']").get_by_role("heading", name="Runs")).to_be_visible()
    page.screenshot(path=IMAGES / "task.png")


def photograph_campaign(page: Page) -> None:
    """The campaign on a page of its own, in the dark."""
    page.goto("/dropcowboy-report/campaigns")
    page.get_by_role("link", name=DAG_ID).click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.screenshot(path=IMAGES / "campaign.png")


if __name__ == "__main__":
    main()
