"""One Airflow and one browser for all of these tests; each has a window of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from tests.browser.chromium import find_chromium
from tests.browser.login import log_in
from tests.browser.site import Site

CONTACTS = 60


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Airflow, after a run of 60 contacts."""
    with Site(tmp_path_factory.mktemp("site") / "home") as running:
        running.send(CONTACTS)
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=find_chromium(playwright))
        yield started
        started.close()


@pytest.fixture
def stranger(browser: Browser, site: Site) -> Iterator[Page]:
    """A window of somebody who is not logged in."""
    with browser.new_context(base_url=site.url) as context:
        yield context.new_page()


@pytest.fixture(scope="session")
def logged_in(browser: Browser, site: Site) -> StorageState:
    """What a browser keeps of a login."""
    with browser.new_context(base_url=site.url) as context:
        page = context.new_page()
        page.goto("/auth/login")
        log_in(page)
        page.wait_for_url(f"{site.url}/")
        return context.storage_state()


@pytest.fixture
def window(browser: Browser, site: Site, logged_in: StorageState) -> Iterator[Page]:
    """A window of somebody who is logged in."""
    with browser.new_context(base_url=site.url, storage_state=logged_in) as context:
        yield context.new_page()
