"""Which names of tables are taken."""

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.reports.dialects import Table


@pytest.mark.parametrize("name", ["deliveries", "analytics.deliveries", "db.analytics.d1", '"My Schema"."Deliveries"'])
def test_a_name_may_have_a_schema_a_database_and_quotes(name: str) -> None:
    assert Table(name, "postgres").name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "None; DROP TABLE x",
        "a.b.c.d",
        "deliveries WHERE 1=1",
        '"a',
        "a-b",
        "1a",
        "a\n",
        "(SELECT 1)",
        "a--",
        '"a%b"',
    ],
)
def test_anything_else_is_refused_before_it_is_part_of_a_statement(name: str) -> None:
    with pytest.raises(ConfigurationError, match="names no table"):
        Table(name, "postgres")
