"""What the ledger knows of a task's earlier runs."""

from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.limits import beat
from airflow_provider_dropcowboy.ledger.runs import Run, Who, begin_run, end_run, rows_read_last
from airflow_provider_dropcowboy.ledger.schema import RUNS
from tests.integration.ledger.conftest import Desk


def begin(desk: Desk, **who: object) -> Run:
    return begin_run(desk.ledger, desk.run.campaign, who=Who(**who), wanted=1)  # type: ignore[arg-type]  # the test's own


def test_a_task_reads_about_what_it_read_when_it_last_came_to_its_end(desk: Desk) -> None:
    for counts, reason in (({"accepted": 7, "invalid": 2}, None), ({"accepted": 1}, "interrupted")):
        run = begin(desk, dag_id="d", task_id="t", map_index=2)
        end_run(desk.ledger, run, counts=counts, reason=reason)
    assert rows_read_last(desk.ledger, Who(dag_id="d", task_id="t", map_index=2)) == 9


@pytest.mark.parametrize(
    "who",
    [
        Who(dag_id="d", task_id="other", map_index=2),
        Who(dag_id="d", task_id="t", map_index=1),
        Who(dag_id="d", task_id="t"),
        Who(task_id="dropcowboy send rvm"),
    ],
)
def test_nobody_knows_what_another_task_reads(desk: Desk, who: Who) -> None:
    end_run(desk.ledger, begin(desk, dag_id="d", task_id="t", map_index=2), counts={"accepted": 7}, reason=None)
    end_run(desk.ledger, begin(desk, task_id="dropcowboy send rvm"), counts={"accepted": 7}, reason=None)
    assert rows_read_last(desk.ledger, who) is None


def test_a_heartbeat_that_comes_after_the_end_changes_nothing(desk: Desk) -> None:
    run = begin(desk)
    end_run(desk.ledger, run, counts={"accepted": 7}, reason=None)

    def row() -> object:
        with desk.ledger.reading() as connection:
            return connection.execute(sa.select(RUNS).where(RUNS.c.id == run.id)).one()

    at_the_end = row()
    beat(desk.ledger, run, counts={"accepted": 5, "claimed": 2})
    assert row() == at_the_end


def test_the_last_run_of_a_task_is_found_by_its_index(desk: Desk) -> None:
    on_postgresql = desk.ledger.engine.dialect.name == "postgresql"
    lines: list[str] = []

    def explain(
        connection: sa.Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: bool
    ) -> None:
        if "dag_id" in statement:
            looking = connection.connection.cursor()
            if on_postgresql:
                looking.execute("SET LOCAL enable_seqscan = off")  # so small a table is read whole
            looking.execute(("EXPLAIN " if on_postgresql else "EXPLAIN QUERY PLAN ") + statement, parameters)
            lines.extend(str(row) for row in looking.fetchall())

    sa.event.listen(desk.ledger.engine, "before_cursor_execute", explain)
    rows_read_last(desk.ledger, Who(dag_id="d", task_id="t"))
    assert any("dropcowboy_runs_task" in line for line in lines), lines
