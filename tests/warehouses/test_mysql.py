"""What is MySQL's own, on MariaDB with each of the three drivers."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_dropcowboy.errors import SourceError
from airflow_provider_dropcowboy.operators._task import database_hook, open_sql
from airflow_provider_dropcowboy.reports.deliveries import Delivery
from airflow_provider_dropcowboy.reports.dialects import Table
from airflow_provider_dropcowboy.reports.export import write_deliveries
from tests.warehouses.engines import MARIADB, Warehouse, run_sql

pytestmark = [pytest.mark.mariadb, pytest.mark.parametrize("warehouse", MARIADB, indirect=True)]

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
SENT = Delivery(
    campaign="spring", channel="rvm", contact_key="1", phone_number="+15045550101", foreign_id="f" * 48,
    state="delivered", reason=None, claimed_at=AT, answered_at=AT, final_at=None, drop_id="d", cost_usd=Decimal("0.1"),
    network=None,
)  # fmt: skip


@pytest.fixture
def administrator(mariadb_port: int) -> Iterator[Any]:
    """A cursor of the server's root, whose session is in UTC."""
    import pymysql  # only `make test-warehouses` installs it

    with closing(pymysql.connect(host="127.0.0.1", port=mariadb_port, user="root", autocommit=True)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET time_zone = '+00:00'")
        yield cursor
        cursor.execute("SET GLOBAL time_zone = 'SYSTEM'")


def test_a_connection_that_is_lost_on_the_way_is_no_end_of_the_rows(warehouse: Warehouse, administrator: Any) -> None:
    with open_sql("SELECT seq, REPEAT('x', 100) AS t FROM seq_1_to_300000", "warehouse") as rows:
        next(rows)
        administrator.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s", [warehouse.connection["schema"]]
        )
        for (session,) in administrator.fetchall():
            administrator.execute(f"KILL CONNECTION {session}")
        with pytest.raises(SourceError, match="2013"):
            list(rows)


def test_an_instant_is_the_same_whatever_the_servers_time_zone(warehouse: Warehouse, administrator: Any) -> None:
    administrator.execute("SET GLOBAL time_zone = '-05:00'")
    run_sql(
        "CREATE TABLE deliveries (campaign TEXT, channel TEXT, contact_key TEXT, phone_number TEXT, "
        "foreign_id VARCHAR(48), state TEXT, reason TEXT, claimed_at TIMESTAMP NULL, answered_at TIMESTAMP NULL, "
        "final_at DATETIME NULL, drop_id TEXT, cost_usd DECIMAL(18, 6), network TEXT)"
    )
    for written in (1, 0):
        with closing(database_hook("warehouse", argument="table_conn_id").get_conn()) as connection:
            session: Any = connection
            assert write_deliveries(session, Table("deliveries", "mysql"), deliveries=[SENT]) == written
    administrator.execute(f"SELECT claimed_at FROM {warehouse.connection['schema']}.deliveries")
    assert administrator.fetchall() == ((AT.replace(tzinfo=None),),)
