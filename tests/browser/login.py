"""What a person does at Airflow's login."""

from playwright.sync_api import Page

from tests.browser.site import LOGIN


def log_in(page: Page, *, password: str = LOGIN["password"]) -> None:
    """Name and password are entered on the page of the login, which is open, and sent."""
    page.get_by_label("Username").fill(LOGIN["username"])
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
