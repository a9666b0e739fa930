"""An export that is killed half way, on each engine."""

import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest

from airflow_provider_dropcowboy.operators import _task, deliveries
from airflow_provider_dropcowboy.operators.deliveries import ExportArguments
from airflow_provider_dropcowboy.reports.deliveries import Delivery
from tests.warehouses.engines import Warehouse, run_sql

ROWS = 1_200
"""More than two chunks of an export."""

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
OLD = [
    Delivery(
        campaign="spring", channel="rvm", contact_key=str(index), phone_number="+15045550101", state="accepted",
        foreign_id=f"{index:048}", reason=None, claimed_at=AT, answered_at=AT, final_at=None, drop_id="d",
        cost_usd=Decimal("0.1"), network=None,
    )
    for index in range(ROWS)
]  # fmt: skip
NEW = [replace(delivery, state="delivered", final_at=AT) for delivery in OLD]
WANTED = ExportArguments(campaign="spring", table="deliveries", table_conn_id="warehouse", create_table=True)


class _Killed:
    """A connection or cursor, whose process ends at the third statement that changes rows: in it, or behind it."""

    changed = 0

    def __init__(self, inner: Any, moment: str) -> None:
        self._inner = inner
        self._moment = moment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property  # type: ignore[misc]  # it passes for what it stands for
    def __class__(self) -> Any:
        return type(self._inner)

    def cursor(self) -> "_Killed":
        return _Killed(self._inner.cursor(), self._moment)

    def execute(self, statement: str, *parameters: Any) -> None:
        _Killed.changed += statement.startswith(("DELETE", "INSERT", "MERGE"))
        if _Killed.changed == 3 and self._moment == "in it":
            Thread(target=_end).start()
        self._inner.execute(statement, *parameters)
        if _Killed.changed == 3:
            _end()


def _export(rows: list[Delivery]) -> None:
    deliveries._write_table(WANTED, rows)


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # from Python 3.12 on; the child makes threads of its own
@pytest.mark.parametrize("moment", ["in it", "behind it"])
def test_an_export_that_is_killed_leaves_each_row_old_or_new(
    warehouse: Warehouse, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _export(OLD)
    child = os.fork()
    if not child:
        found = _task.database_hook

        def killed_hook(*args: Any, **kwargs: Any) -> Any:
            hook = found(*args, **kwargs)
            connect = hook.get_conn
            monkeypatch.setattr(hook, "get_conn", lambda: _Killed(connect(), moment))
            return hook

        try:
            monkeypatch.setattr(_task, "database_hook", killed_hook)
            _export(NEW)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    final = " FINAL" if warehouse.name == "clickhouse" else ""
    rows = run_sql(f"SELECT foreign_id, state FROM deliveries{final} ORDER BY foreign_id")
    assert [row[0] for row in rows] == [delivery.foreign_id for delivery in OLD]
    assert {row[1] for row in rows} <= {"accepted", "delivered"}
    if (
        warehouse.name == "snowflake"
    ):  # its stand-in keeps a lost session's transaction; Snowflake ends it in five minutes
        return
    _export(NEW)
    assert run_sql(f"SELECT DISTINCT state FROM deliveries{final}") == [["delivered"]]
