"""The site has all pages, and they say what is true of the code."""

import yaml

from airflow_provider_dropcowboy.provider_info import get_provider_info
from tests.unit.docs.examples import DOCS, ROOT


def test_every_page_stands_in_the_navigation() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert set(listed(settings["nav"])) == there, "name each page under nav in mkdocs.yml"


def test_the_page_of_the_connection_has_every_field_of_the_form() -> None:
    text = (DOCS / "connection.md").read_text(encoding="utf-8")
    info: dict[str, list[dict[str, dict[str, object]]]] = get_provider_info()  # type: ignore[assignment]
    (described,) = info["connection-types"]
    assert [name for name in described["conn-fields"] if f"`{name}`" not in text] == []


def listed(nav: object) -> list[str]:
    """The pages below an entry of the navigation."""
    match nav:
        case str():
            return [nav]
        case dict() | list():
            entries = nav.values() if isinstance(nav, dict) else nav
            return [page for entry in entries for page in listed(entry)]
        case _:
            raise AssertionError(f"no entry of a navigation: {nav!r}")
