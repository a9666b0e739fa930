"""Contacts come from queries, files, and what a DAG hands over; rows of them show up nowhere in Airflow."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk import DAG, BaseOperator, task
from airflow.sdk.definitions.context import Context
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import select
from sqlalchemy.engine import make_url

from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import run_dag
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import Warehouse, number, numbers, rows
from tests.postgres_server import connection_fields
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)


@task
def pick(count: int = 3) -> list[dict[str, object]]:
    """An upstream task that hands contacts over as XCom."""
    return rows(count)


class Pick(BaseOperator):
    """The same, as an operator."""

    def execute(self, context: Context) -> list[dict[str, object]]:
        return rows(3)


def send(**arguments: Any) -> SendRvmOperator:
    """Voicemails, in the DAG around it."""
    return SendRvmOperator(task_id="send", key_column="contact_id", **VOICEMAIL, **arguments)


def shown_in_airflow() -> str:
    """Rendered fields and serialized DAGs, as everybody sees them who may read the DAG."""
    with create_session() as session:
        fields = [row.rendered_fields for row in session.scalars(select(RenderedTaskInstanceFields))]
        dags = [row.data for row in session.scalars(select(SerializedDagModel))]
    assert fields
    assert dags
    return json.dumps([fields, dags], default=str)


def test_contacts_may_be_a_list(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        send(contacts=rows(3))
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    assert number(1) not in shown_in_airflow()


def test_contacts_may_be_a_function_that_yields_them(sandbox: SandboxProcess) -> None:
    def people() -> Iterator[dict[str, object]]:
        yield from rows(3)

    with DAG("sources", schedule=None) as dag:
        send(contacts=people)
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_contacts_may_be_the_result_of_a_task_before(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        sending = send(contacts=pick())
    assert sending.upstream_task_ids == {"pick"}
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.SUCCESS
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    assert number(1) not in shown_in_airflow()


def test_contacts_may_be_the_output_of_an_operator_before(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        sending = send(contacts=Pick(task_id="pick").output)
    assert sending.upstream_task_ids == {"pick"}
    assert run_dag(dag, logical_date=LOGICAL_DATE).state == DagRunState.SUCCESS
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_mapped_tasks_take_their_parts_of_one_result(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        mapped = SendRvmOperator.partial(
            task_id="send", key_column="contact_id", contacts=pick(20), campaign="spring", **VOICEMAIL
        ).expand(partition=["1/2", "2/2"])
    assert mapped.upstream_task_ids == {"pick"}
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.SUCCESS
    assert sandbox.takes_by_phone() == numbers(*range(20))
    assert number(1) not in shown_in_airflow()


def test_a_task_is_mapped_over_lists_of_contacts(sandbox: SandboxProcess) -> None:
    @task
    def chunks() -> list[list[dict[str, object]]]:
        everybody = rows(5)
        return [everybody[:3], everybody[2:]]

    with DAG("sources", schedule=None) as dag:
        SendRvmOperator.partial(task_id="send", key_column="contact_id", **VOICEMAIL).expand(contacts=chunks())
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.SUCCESS
    assert sandbox.takes_by_phone() == numbers(*range(5))
    assert number(1) not in shown_in_airflow()


@pytest.mark.parametrize("end", ["csv", "jsonl"])
def test_contacts_may_be_a_file_on_object_storage(sandbox: SandboxProcess, tmp_path: Path, end: str) -> None:
    text = {
        "csv": "contact_id,phone\n" + "".join(f"{row['contact_id']},{row['phone']}\n" for row in rows(3)),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows(3)),
    }
    (tmp_path / f"contacts.{end}").write_text(text[end])
    with DAG("sources", schedule=None) as dag:
        send(path=f"file://{tmp_path}/contacts.{{{{ params.end }}}}", params={"end": end})
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_a_file_that_is_not_there_fails_the_task_before_anyone_is_asked(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    with DAG("sources", schedule=None) as dag:
        send(path=f"file://{tmp_path}/contacts.csv", retries=1)
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert "there is no file contacts.csv" in str(run.task("send").error)
    assert sandbox.takes()["asks"] == 0


def test_a_query_may_be_a_file_and_takes_parameters(
    warehouse: Warehouse, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    warehouse.appointments((1, number(1), "2026-11-24", 1), (2, number(2), "2026-11-25", 1))
    (tmp_path / "due.sql").write_text("SELECT contact_id, phone FROM {{ params.table }} WHERE remind_on = :day\n")
    with DAG("sources", schedule=None, template_searchpath=str(tmp_path), params={"table": "appointments"}) as dag:
        send(sql="due.sql", sql_conn_id="warehouse", parameters={"day": "{{ ds }}"})
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(1)


def test_a_query_takes_parameters_by_position(warehouse: Warehouse, sandbox: SandboxProcess) -> None:
    warehouse.appointments((1, number(1), "2026-11-24", 1), (2, number(2), "2026-11-25", 1))
    with DAG("sources", schedule=None) as dag:
        send(
            sql="SELECT contact_id, phone FROM appointments WHERE remind_on = ?",
            sql_conn_id="warehouse",
            parameters=["{{ ds }}"],
        )
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(1)


@pytest.fixture
def on_postgresql(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ``warehouse`` is a PostgreSQL with three people who are due on the 24th, and one on the 25th."""
    url = make_url(postgres_url)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"postgres://{url.username}@{url.host}:{url.port}/{url.database}")
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as connection:
        connection.execute("CREATE SEQUENCE rows_read")
        connection.execute("CREATE TABLE due (contact_id int, phone text, remind_on date)")
        for row in rows(3):
            connection.execute("INSERT INTO due VALUES (%(contact_id)s, %(phone)s, '2026-11-24')", row)
        connection.execute("INSERT INTO due VALUES (9, '+15045550199', '2026-11-25')")


@pytest.mark.usefixtures("on_postgresql")
def test_mapped_tasks_read_each_row_of_their_table_once(sandbox: SandboxProcess, postgres_url: str) -> None:
    """The sequence counts the rows that leave the database: three are due, and three tasks read."""
    url = make_url(postgres_url)
    with DAG("sources", schedule=None) as dag:
        SendRvmOperator.partial(
            task_id="send", key_column="contact_id", campaign="spring", **VOICEMAIL,
            sql="SELECT contact_id, phone, nextval('rows_read') FROM due "
            "WHERE remind_on = %(day)s AND {{ partition_sql }}",
            sql_conn_id="warehouse", parameters={"day": "{{ ds }}"},
        ).expand(partition=partitions(3))  # fmt: skip
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    finished = [run.task("send", index) for index in range(3)]
    assert [task.error for task in finished] == [None] * 3
    assert sum(int(str(task.returned["read"])) for task in finished) == 3
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as connection:
        assert connection.execute("SELECT last_value FROM rows_read").fetchone() == (3,)


@pytest.mark.parametrize("argument", ["sql", "suppression_sql"])
def test_a_query_sees_the_tables_that_every_other_task_sees(
    sandbox: SandboxProcess, postgres_url: str, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    """The connection's extra names the schema: the same name without it is another table, of other people."""
    url = make_url(postgres_url)
    extra = {"options": "-c search_path=other"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection_fields(url) | {"extra": extra}))
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as connection:
        for schema, index in (("public", 1), ("other", 2)):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            connection.execute(
                f"CREATE TABLE {schema}.who AS SELECT 1 AS contact_id, '{number(index)}' AS phone".encode()
            )
    with DAG("sources", schedule=None) as dag:
        if argument == "sql":
            send(sql="SELECT contact_id, phone FROM who", sql_conn_id="warehouse")
        else:
            send(contacts=rows(3), suppression_sql="SELECT phone FROM who", suppression_conn_id="warehouse")
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.task("send").error is None
    assert sandbox.takes_by_phone() == (numbers(2) if argument == "sql" else numbers(0, 1))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("http", "is not a database: connections of type 'http' have the hook HttpHook"),
        ("fax", "has no hook: Unknown hook type"),
        ("fax", "Install the Airflow provider that has 'fax'"),
        ("vertica", "Run: pip install 'apache-airflow-providers-vertica'"),
    ],
)
def test_a_connection_that_is_no_database_is_refused_by_name(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": kind, "host": "127.0.0.1"}))
    with DAG("sources", schedule=None) as dag:
        send(sql="SELECT 1 AS contact_id", sql_conn_id="warehouse", retries=1)
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert "sql_conn_id='warehouse'" in str(run.task("send").error)
    assert said in str(run.task("send").error)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"path": "abfs://bucket/due.csv"}, "Run: pip install 'apache-airflow-providers-microsoft-azure'"),
        ({"path": "fax://bucket/due.csv"}, "Install the Airflow provider that has 'fax'"),
        ({"sql": "SELECT 1", "sql_conn_id": "gone"}, "sql_conn_id='gone': Airflow has no such connection"),
    ],
)
def test_a_source_that_airflow_cannot_reach_names_what_is_missing_and_is_not_retried(
    sandbox: SandboxProcess, source: dict[str, Any], said: str
) -> None:
    with DAG("sources", schedule=None) as dag:
        send(retries=1, **source)
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert said in str(run.task("send").error)
    assert run.task("send").try_number == 1


def test_a_query_that_the_database_refuses_fails_the_task_and_asks_nobody(
    warehouse: Warehouse, sandbox: SandboxProcess
) -> None:
    with DAG("sources", schedule=None) as dag:
        send(sql="SELECT contact_id, phone FROM nowhere", sql_conn_id="warehouse")
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.FAILED
    assert "nowhere" in str(run.task("send").error)
    assert sandbox.takes()["asks"] == 0


def test_a_source_without_the_column_fails_the_task_and_asks_nobody(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        send(contacts=[{"contact_id": 1, "mobile": number(1)}])
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert "phone" in str(run.task("send").error)
    assert number(1) not in str(run.task("send").error)
    assert sandbox.takes()["asks"] == 0


def test_an_empty_source_is_a_run_of_nobody(sandbox: SandboxProcess) -> None:
    with DAG("sources", schedule=None) as dag:
        send(contacts=[])
    returned = run_dag(dag, logical_date=LOGICAL_DATE).task("send").returned
    assert (returned["read"], returned["asked"]) == (0, 0)
    assert sandbox.takes()["asks"] == 0
