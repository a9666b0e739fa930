"""The pages that say what an answer and what a code mean are true."""

from tests.unit.docs import answers_table, codes_table


def test_the_table_of_answers_is_what_the_code_does() -> None:
    written = answers_table.PAGE.read_text(encoding="utf-8")
    assert written == answers_table.page(), "run `python -m tests.unit.docs.answers_table`"


def test_the_table_of_codes_is_what_the_code_does() -> None:
    written = codes_table.PAGE.read_text(encoding="utf-8")
    assert written == codes_table.page(), "run `python -m tests.unit.docs.codes_table`"
