"""The page that says what an answer means is true."""

from tests.unit.docs.answers_table import PAGE, page


def test_the_table_of_answers_is_what_the_code_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.unit.docs.answers_table`"
