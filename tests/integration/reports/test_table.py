"""Deliveries in a table of the user's, on SQLite and PostgreSQL."""

import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
from sqlalchemy.engine import make_url

from airflow_provider_dropcowboy.reports.deliveries import COLUMNS, Delivery
from airflow_provider_dropcowboy.reports.dialects import Table
from airflow_provider_dropcowboy.reports.export import STATEMENT_ROWS, TableError, create_table, write_deliveries

CLAIMED_AT = datetime(2026, 11, 24, 9, 0, 0, 120, tzinfo=UTC)


def delivery(key: int, **changes: Any) -> Delivery:
    made = Delivery(
        campaign="spring",
        channel="rvm",
        contact_key=str(key),
        phone_number=f"+1504{2_000_000 + key}",
        foreign_id=f"{key:048x}",
        state="accepted",
        reason=None,
        claimed_at=CLAIMED_AT,
        answered_at=CLAIMED_AT + timedelta(seconds=1),
        final_at=None,
        drop_id=None,
        cost_usd=None,
        network=None,
    )
    return replace(made, **changes)


def told(key: int) -> Delivery:
    return delivery(
        key, state="delivered", final_at=CLAIMED_AT + timedelta(minutes=5), drop_id="d", cost_usd=Decimal("0.1019"),
        network="Verizon",
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "psycopg", "psycopg2"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Opens another connection to the warehouse."""
    if request.param == "sqlite":
        return lambda: sqlite3.connect(tmp_path / "warehouse.db", timeout=0)
    url = make_url(request.getfixturevalue("postgres_url"))
    driver: Any = psycopg if request.param == "psycopg" else psycopg2
    return lambda: driver.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)


@pytest.fixture
def warehouse(connect: Callable[[], Any]) -> Iterator[Any]:
    with closing(connect()) as connection:
        yield connection


@pytest.fixture
def table(warehouse: Any) -> Table:
    """An empty table, made by us."""
    made = Table("deliveries", "sqlite" if isinstance(warehouse, sqlite3.Connection) else "postgres")
    create_table(warehouse, made)
    return made


def rows(warehouse: Any, columns: str = ", ".join(COLUMNS)) -> list[tuple[Any, ...]]:
    cursor = warehouse.cursor()
    cursor.execute(f"SELECT {columns} FROM deliveries ORDER BY foreign_id")
    found = [tuple(row) for row in cursor.fetchall()]
    cursor.close()
    warehouse.commit()
    return found


def test_every_send_has_one_row_with_its_values(warehouse: Any, table: Table) -> None:
    assert write_deliveries(warehouse, table, deliveries=[delivery(1), told(2)]) == 2
    first, second = rows(warehouse, "contact_key, phone_number, state, cost_usd, network, final_at")
    assert first == ("1", "+15042000001", "accepted", None, None, None)
    assert second[:3] == ("2", "+15042000002", "delivered")
    assert (Decimal(str(second[3])), second[4]) == (Decimal("0.1019"), "Verizon")
    assert second[5] is not None


def test_a_second_export_writes_nothing_and_a_third_only_what_changed(warehouse: Any, table: Table) -> None:
    many = [delivery(key) for key in range(20)]
    write_deliveries(warehouse, table, deliveries=many)
    before = rows(warehouse)
    assert write_deliveries(warehouse, table, deliveries=many) == 0
    assert rows(warehouse) == before
    many[3] = told(3)
    assert write_deliveries(warehouse, table, deliveries=many) == 1
    assert write_deliveries(warehouse, table, deliveries=many) == 0
    assert [row[0] for row in rows(warehouse, "state")].count("delivered") == 1
    assert len(rows(warehouse)) == 20


def test_an_export_of_many_chunks_that_ended_half_way_goes_on(warehouse: Any, table: Table) -> None:
    many = [told(key) for key in range(2 * STATEMENT_ROWS + 10)]

    def cut_off() -> Iterator[Delivery]:
        yield from many[: STATEMENT_ROWS + 10]
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_deliveries(warehouse, table, deliveries=cut_off())
    assert len(rows(warehouse)) == STATEMENT_ROWS
    assert write_deliveries(warehouse, table, deliveries=many) == STATEMENT_ROWS + 10
    assert len(rows(warehouse)) == len(many)


def test_what_the_ledger_has_forgotten_of_a_person_stays_in_the_table(warehouse: Any, table: Table) -> None:
    write_deliveries(warehouse, table, deliveries=[told(1)])
    forgotten = replace(told(1), contact_key=None, phone_number=None, network=None)
    assert write_deliveries(warehouse, table, deliveries=[forgotten]) == 0
    assert write_deliveries(warehouse, table, deliveries=[replace(forgotten, state="failed")]) == 1
    assert rows(warehouse, "contact_key, phone_number, network, state") == [
        ("1", "+15042000001", "Verizon", "failed"),
    ]


def test_making_the_table_again_leaves_it_as_it_is(warehouse: Any, table: Table) -> None:
    write_deliveries(warehouse, table, deliveries=[delivery(1)])
    create_table(warehouse, table)
    assert len(rows(warehouse)) == 1


def test_a_table_of_the_users_own_types_and_order_is_taken(warehouse: Any) -> None:
    kinds = dict.fromkeys(reversed(COLUMNS), "TEXT") | {"loaded_by": "TEXT"}
    cursor = warehouse.cursor()
    cursor.execute(f"CREATE TABLE deliveries ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
    warehouse.commit()
    own = Table('"deliveries"', "sqlite" if isinstance(warehouse, sqlite3.Connection) else "postgres")
    assert write_deliveries(warehouse, own, deliveries=[told(1)]) == 1
    assert write_deliveries(warehouse, own, deliveries=[told(1)]) == 0


def test_a_failing_database_is_told_without_what_was_to_be_written(warehouse: Any) -> None:
    cursor = warehouse.cursor()
    cursor.execute(f"CREATE TABLE deliveries ({', '.join(f'{name} TEXT CHECK ({name} IS NULL)' for name in COLUMNS)})")
    warehouse.commit()
    table = Table("deliveries", "sqlite" if isinstance(warehouse, sqlite3.Connection) else "postgres")
    with pytest.raises(TableError, match=r"did not accept the rows: \w+") as caught:
        write_deliveries(warehouse, table, deliveries=[told(1)])
    assert "5042000001" not in "".join(traceback.format_exception(caught.value))
    assert rows(warehouse) == []


def test_a_missing_table_is_told_with_how_to_make_it(warehouse: Any) -> None:
    table = Table("deliveries", "sqlite" if isinstance(warehouse, sqlite3.Connection) else "postgres")
    with pytest.raises(TableError, match="create_table=True"):
        write_deliveries(warehouse, table, deliveries=[told(1)])


def test_nobody_sees_a_row_gone_between_its_deletion_and_its_insertion(
    warehouse: Any, table: Table, connect: Callable[[], Any]
) -> None:
    write_deliveries(warehouse, table, deliveries=[delivery(1)])

    class Watched:
        """The connection; at each commit, somebody else looks first."""

        def __getattr__(self, name: str) -> Any:
            return getattr(warehouse, name)

        def commit(self) -> None:
            with closing(connect()) as other:
                seen.append(rows(other, "state"))
            warehouse.commit()

    seen: list[list[tuple[Any, ...]]] = []
    write_deliveries(Watched(), table, deliveries=[told(1)])
    assert seen == [[("accepted",)]]
    assert rows(warehouse, "state") == [("delivered",)]
