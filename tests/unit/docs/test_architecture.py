"""The page of the architecture says what the package is."""

import re

from tests.unit.docs.architecture_picture import PICTURE, ROOT, layers, picture

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "airflow_provider_dropcowboy"


def test_the_picture_shows_the_import_contract() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run `python -m tests.unit.docs.architecture_picture`"


def test_each_part_of_the_package_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)`", PAGE, flags=re.MULTILINE))
    assert explained == {name for names in layers() for name in names} | {"sandbox"}


def test_each_file_that_is_named_exists() -> None:
    named = re.findall(r"`([a-z_0-9/]+\.(?:py|toml|html))`", PAGE)
    assert [name for name in named if not (PACKAGE / name).exists()] == []


def test_the_way_of_one_contact_is_told_in_25_files() -> None:
    way = PAGE.partition("## The way of one contact")[2].partition("\n## ")[0]
    assert 10 < len(set(re.findall(r"`([a-z_0-9/]+\.py)`", way))) <= 25
