"""The page of arguments says what the code takes."""

from tests.unit.docs.arguments_table import PAGE, page


def test_the_page_of_arguments_is_what_the_code_takes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.unit.docs.arguments_table`"
