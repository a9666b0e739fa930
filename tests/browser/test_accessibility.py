"""The pages can be read and used by everybody: axe-core finds nothing serious, light or dark."""

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState

from tests.browser.site import DAG_ID, TASK_ID, Site

BAD = {"serious", "critical"}


def open_campaigns(page: Page, _site: Site) -> None:
    page.goto("/dropcowboy-report/campaigns")


def open_search_in_vain(page: Page, _site: Site) -> None:
    page.goto("/dropcowboy-report/campaigns?q=nothing-of-that-name")


def open_campaign(page: Page, _site: Site) -> None:
    page.goto("/dropcowboy-report/campaigns")
    page.get_by_role("link", name=DAG_ID).click()
    page.get_by_text("Show as a table").click()


def open_run(page: Page, site: Site) -> None:
    page.goto(f"/dropcowboy-report/run?dag_id={DAG_ID}&run_id={site.run_id.replace('+', '%2B')}&task_id={TASK_ID}")


def open_message(page: Page, site: Site) -> None:
    open_campaign(page, site)
    page.get_by_label("Contact key").fill("7")
    page.get_by_role("button", name="Look it up").click()


def open_nothing(page: Page, _site: Site) -> None:
    page.goto("/dropcowboy-report/nothing")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "opened", [open_campaigns, open_search_in_vain, open_campaign, open_run, open_message, open_nothing]
)
def test_no_page_keeps_anybody_out(
    browser: Browser,
    site: Site,
    logged_in: StorageState,
    *,
    opened: Callable[[Page, Site], None],
    scheme: Literal["light", "dark"],
) -> None:
    # the page's own policy lets no script run, axe-core neither
    with browser.new_context(
        base_url=site.url, storage_state=logged_in, color_scheme=scheme, bypass_csp=True
    ) as context:
        page = context.new_page()
        opened(page, site)
        found = Axe().run(page).response["violations"]
    assert not [(finding["id"], finding["nodes"]) for finding in found if finding["impact"] in BAD]
