"""Every hour: a contact list that is what a table is."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.sensors.contact_list import DropCowboyContactListSensor

with DAG(
    dag_id="contact_list_mirror",
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,  # the table of today is the only one there is
    max_active_runs=1,  # a second sync of one list fails while the first is at work
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A contact list kept in step with a warehouse table

    After each run the list at Drop Cowboy holds the rows of the query and nothing else, for campaigns that people start
    on Drop Cowboy's own pages. Unchanged rows cost no call. New rows are appended. When a row was changed or is gone,
    the list is built anew beside the old one, counted, and put in its place, so that nobody ever sees half a list.

    The id of the list changes when it is rebuilt; the XCom of `mirror` has the one of today. A list of that name that
    was there before is made known once: `dropcowboy list adopt "Due today" ID`.

    Needs the connections `dropcowboy_default` and `warehouse`.
    """,
) as dag:
    mirror = SyncContactListOperator(
        task_id="mirror",
        list_name="Due today",
        mode="mirror",
        sql="SELECT contact_id, phone, postal_code, first_name FROM due_today WHERE consented",
        sql_conn_id="warehouse",
        key_column="contact_id",  # names a person for good, even when the number changes
        fields={"record_id": "contact_id", "phone": "phone", "postal": "postal_code", "first_name": "first_name"},
        max_shrink=0.5,  # an empty query result usually means that something broke before this
    )
    ready = DropCowboyContactListSensor(
        task_id="ready",
        list_name="Due today",
        min_count="{{ ti.xcom_pull('mirror')['contact_count'] }}",
        deferrable=True,
        timeout=timedelta(hours=1).total_seconds(),
    )
    mirror >> ready
