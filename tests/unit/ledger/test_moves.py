"""The table of moves decides each change of a send's state."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Update

from airflow_provider_dropcowboy.ledger import outcomes, settling, statements
from airflow_provider_dropcowboy.states import State, sources_of

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("make", "target"),
    [
        (lambda _: statements.NEXT_ATTEMPT, State.CLAIMED),
        (lambda _: statements.CLAIM_ANEW, State.CLAIMED),
        (lambda dialect: outcomes._answers(dialect, State.ACCEPTED), State.ACCEPTED),
        (lambda dialect: outcomes._answers(dialect, State.ACCEPTED, owns=True), State.ACCEPTED),
        (lambda dialect: outcomes._answers(dialect, State.ACCEPTED, owns=False), State.ACCEPTED),
        (lambda dialect: outcomes._answers(dialect, State.UNKNOWN), State.UNKNOWN),
        (statements.finals, State.DELIVERED),
        (lambda _: settling._moves(State.UNKNOWN, State.ACCEPTED), State.ACCEPTED),
        (lambda _: settling._moves(State.REJECTED, State.RELEASED), State.RELEASED),
    ],
)
def test_an_update_of_a_state_begins_only_where_the_table_of_moves_says(
    dialect: str, make: Callable[[str], Update], target: State
) -> None:
    text = str(make(dialect).compile(dialect=DIALECTS[dialect]))
    (listed,) = re.findall(r"dropcowboy_sends\.state IN \(([^)]*)\)", text.split("WHERE", 1)[1])
    assert {State(word.strip("' ")) for word in listed.split(",")} == sources_of(target)
