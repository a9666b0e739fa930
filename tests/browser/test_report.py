"""The report of a run that was just made, where people look for it."""

from urllib.parse import quote

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.browser.conftest import CONTACTS
from tests.browser.site import DAG_ID, TASK_ID, Site
from tests.in_airflow.warehouse import number

MAX_STOPS = 30
"""More than the keyboard makes on any of these pages."""


def test_the_navigation_leads_to_the_numbers_of_the_run(window: Page, site: Site) -> None:
    window.goto("/")
    window.get_by_role("link", name="Campaigns").click()
    page = window.frame_locator("iframe[title='Campaigns']")
    row = page.get_by_role("row").filter(has_text=f"{DAG_ID}.{TASK_ID}@{site.run_id}")
    delivered, failed = results(site)
    expect(row.get_by_role("cell")).to_contain_text(["Voicemails", "", str(CONTACTS), str(delivered), str(failed), "0"])

    row.get_by_role("link").click()
    see_funnel(page, site)


def test_a_task_instance_has_its_report_beside_it(window: Page, site: Site) -> None:
    window.goto(f"/dags/{DAG_ID}/runs/{quote(site.run_id, safe='')}/tasks/{TASK_ID}")
    window.locator("a[href$='/plugin/dropcowboy-task']").click()
    see_funnel(window.frame_locator("iframe[title='Campaign']"), site)


def test_the_button_of_the_task_leads_to_its_report(window: Page, site: Site) -> None:
    window.goto(f"/dags/{DAG_ID}/runs/{quote(site.run_id, safe='')}/tasks/{TASK_ID}/details")
    link = window.get_by_role("link", name="Campaign report")
    address = link.get_attribute("href")
    assert address is not None
    window.goto(address)
    expect(window.get_by_role("heading", level=1)).to_have_text(f"{DAG_ID}.{TASK_ID}")
    expect(window.get_by_text(f"{DAG_ID}.{TASK_ID}@{site.run_id}")).to_be_visible()


def test_the_life_of_a_message_is_found_by_the_contact_key_alone(window: Page) -> None:
    window.goto("/dropcowboy-report/campaigns")
    window.get_by_role("link", name=DAG_ID).click()
    window.get_by_label("Contact key").fill("7")
    window.get_by_role("button", name="Look it up").click()
    expect(window.get_by_role("row", name="Number")).to_contain_text(f"********{number(7)[-2:]}")
    assert number(7)[-6:] not in window.content()
    assert window.url.endswith("/dropcowboy-report/message")  # no key in an address


def test_everything_on_the_page_is_reached_by_the_keyboard(window: Page) -> None:
    window.goto("/dropcowboy-report/campaigns")
    press_tab_until(window, window.get_by_label("Search campaigns"))
    window.keyboard.type("no such campaign")
    window.keyboard.press("Enter")
    expect(window.get_by_text("No campaign that you may see matches")).to_be_visible()
    press_tab_until(window, window.get_by_role("link", name="Show all"))
    window.keyboard.press("Enter")
    expect(window.get_by_role("link", name=f"{DAG_ID}.{TASK_ID}")).to_be_visible()
    press_tab_until(window, window.get_by_role("link", name=f"{DAG_ID}.{TASK_ID}"))
    window.keyboard.press("Enter")
    expect(window.get_by_role("heading", level=1)).to_have_text(f"{DAG_ID}.{TASK_ID}")
    press_tab_until(window, window.get_by_text("Show as a table"))
    window.keyboard.press("Enter")
    expect(window.get_by_role("columnheader", name="From")).to_be_visible()
    press_tab_until(window, window.get_by_label("Contact key"))
    window.keyboard.type("7")
    window.keyboard.press("Enter")
    expect(window.get_by_role("heading", level=1)).to_have_text("One message")


def press_tab_until(window: Page, wanted: Locator) -> None:
    """The focus is on it, and is seen; every stop on the way there as well."""
    for _ in range(MAX_STOPS):
        window.keyboard.press("Tab")
        # not by :focus, which a date field does not match while its own button has the focus
        assert window.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} was not reached by the keyboard")


def results(site: Site) -> tuple[int, int]:
    """How many the vendor says that it delivered, and failed to."""
    delivered = site.by_outcome["success"]
    return delivered, CONTACTS - delivered


def see_funnel(page: FrameLocator, site: Site) -> None:
    """The page shows what the vendor did, and what the source had."""
    delivered, failed = results(site)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{DAG_ID}.{TASK_ID}")
    expect(page.get_by_text("Finished", exact=True)).to_be_visible()
    figures = page.locator("dl.figures > div")
    counts = {"Delivered": delivered, "Sent": CONTACTS, "Refused": 0, "In doubt": 0}
    expect(figures).to_contain_text([*(f"{name}{count}" for name, count in counts.items()), "Cost"])
    expect(page.get_by_role("img", name="and state")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Rows read")).to_contain_text("1 invalid")
    expect(page.get_by_role("row", name=f"Accepted {CONTACTS}")).to_contain_text(f"{failed} failed")
    assert site.sandbox.takes()["takes"] == CONTACTS
