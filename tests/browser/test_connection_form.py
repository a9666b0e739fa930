"""The form of a connection explains itself, and its button tells what is wrong."""

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from airflow_provider_dropcowboy.provider_info import get_provider_info
from tests.browser.site import Site


def test_the_form_has_the_fields_of_the_provider_with_their_help(window: Page) -> None:
    form = open_form(window)
    for label in ("Host", "Team ID", "Secret", "Port", "Schema"):
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    expect(form.locator("[name=login]")).to_have_attribute("placeholder", "team id from the Drop Cowboy API settings")
    expect(form.locator("[name=password]")).to_have_attribute("type", "password")

    form.get_by_role("button", name="Extra Fields", exact=True).click()
    info: Any = get_provider_info()
    (described,) = info["connection-types"]
    for name, field in described["conn-fields"].items():
        expect(form.get_by_text(field["label"], exact=True)).to_be_visible()
        entry = form.locator(f"[name=element_{name}]")
        if "enum" in field["schema"]:  # a list to choose from, whose own entry is hidden
            expect(form.get_by_text(field["description"])).to_be_visible()
            continue
        expect(entry).to_have_accessible_description(field["description"])
        is_hidden = field["schema"].get("format") == "password"
        expect(entry.and_(form.locator("[type=password]"))).to_have_count(int(is_hidden))


def test_the_button_tells_a_right_secret_from_a_wrong_one(window: Page, site: Site) -> None:
    save(window, site, conn_id="right", secret=site.sandbox.secret)
    assert press_test(window, "right")["status"] is True
    expect(window.get_by_text("Test Connection Failed")).to_be_hidden()

    save(window, site, conn_id="wrong", secret="not-the-secret")
    told = press_test(window, "wrong")
    assert told["status"] is False
    expect(window.get_by_text("Test Connection Failed")).to_be_visible()
    shown = window.get_by_text("The team id (login) or the secret (password) is wrong")
    expect(shown).to_be_visible()
    assert "not-the-secret" not in shown.inner_text()


def open_form(window: Page) -> Locator:
    """The form of a new connection, its type chosen."""
    window.goto("/connections")
    window.get_by_role("button", name="Add Connection").click()
    form = window.get_by_role("dialog")
    form.get_by_role("combobox").fill("Drop Cow")
    form.get_by_role("option", name="Drop Cowboy").click()
    return form


def save(window: Page, site: Site, *, conn_id: str, secret: str) -> None:
    """A connection to the sandbox is entered and saved."""
    sandbox = urlsplit(site.sandbox.base_url)
    form = open_form(window)
    entered = {
        "connection_id": conn_id,
        "host": sandbox.hostname,
        "login": site.sandbox.team_id,
        "password": secret,
        "port": str(sandbox.port),
        "schema": sandbox.scheme,
    }
    for name, value in entered.items():
        form.locator(f"[name={name}]").fill(value or "")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()


def press_test(window: Page, conn_id: str) -> dict[str, object]:
    """What the button of that connection brought."""
    row = window.get_by_role("row").filter(has=window.get_by_text(conn_id, exact=True))
    with window.expect_response("**/connections/test") as answer:
        row.get_by_role("button", name="Test Connection").click()
    told: dict[str, object] = answer.value.json()
    return told
