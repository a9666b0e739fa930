"""Every morning: a voicemail to everybody who booked since the last run; what became of each row goes back.

Snowflake and BigQuery differ in the query, in the settings of the hook, and in the name of the table.
"""

from collections.abc import Mapping
from datetime import timedelta

import pendulum
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

CAMPAIGN = "booked {{ data_interval_start | ds }}"


def round_trip(warehouse: str, *, sql_hook_params: Mapping[str, object], table: str) -> DAG:
    """The DAG for one kind of warehouse."""
    with DAG(
        dag_id=f"{warehouse}_round_trip",
        # its runs have an interval with a length; with "@daily" alone, start and end are one instant
        schedule=CronDataIntervalTimetable("0 14 * * *", timezone="UTC"),
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
        doc_md=f"""
        ### Out of a warehouse and back

        `send` reads the people of the run's interval with `sql/due_in_{warehouse}.sql`. `wait` waits in the triggerer
        until each message has its result, or for three days. `export` writes one row for each row of the query: sent,
        with its result, or not sent, with the reason. Run any of them again: nobody is contacted twice, and only rows
        that changed are written.

        Needs the connections `dropcowboy_default` (with a receiver for results) and `warehouse`.
        """,
    ) as dag:
        send = SendRvmOperator(
            task_id="send",
            sql=f"sql/due_in_{warehouse}.sql",
            sql_conn_id="warehouse",
            parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
            sql_hook_params=sql_hook_params,
            key_column="contact_id",
            campaign=CAMPAIGN,
            message_kind="informational",
            recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
        )
        wait = DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN, expire_after=timedelta(hours=72))
        export = ExportDeliveriesOperator(
            task_id="export",
            campaign=CAMPAIGN,
            include_not_sent=True,  # so that the table accounts for every row of the query
            table=table,
            table_conn_id="warehouse",
            create_table=True,
        )
        send >> wait >> export
    return dag


snowflake = round_trip("snowflake", sql_hook_params={"warehouse": "SENDING", "role": "CAMPAIGNS"}, table="deliveries")
bigquery = round_trip("bigquery", sql_hook_params={"use_legacy_sql": False, "location": "EU"}, table="sales.deliveries")
