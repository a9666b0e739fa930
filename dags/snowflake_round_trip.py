"""Every morning: a voicemail to everybody who booked since the last run, out of Snowflake; the results go back."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

CAMPAIGN = "booked {{ data_interval_start | ds }}"

with DAG(
    dag_id="snowflake_round_trip",
    # its runs have an interval with a length; with "@daily" alone, start and end are one instant
    schedule=CronDataIntervalTimetable("0 14 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### Out of Snowflake and back

    `send` reads the people of the run's interval with `sql/due_in_snowflake.sql`, on a Snowflake warehouse of its own.
    `wait` waits in the triggerer until each message has its result, or for three days. `export` merges the results into
    a table. Run any of them again: nobody is contacted twice, and only rows that changed are written.

    Needs the connections `dropcowboy_default` (with a receiver for results) and `warehouse` of type `snowflake`.
    """,
) as dag:
    send = SendRvmOperator(
        task_id="send",
        sql="sql/due_in_snowflake.sql",
        sql_conn_id="warehouse",
        parameters={"start": "{{ data_interval_start }}", "end": "{{ data_interval_end }}"},
        sql_hook_params={"warehouse": "SENDING", "role": "CAMPAIGNS"},
        key_column="contact_id",
        campaign=CAMPAIGN,
        message_kind="informational",
        recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
    )
    wait = DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN, expire_after=timedelta(hours=72))
    export = ExportDeliveriesOperator(
        task_id="export", campaign=CAMPAIGN, table="deliveries", table_conn_id="warehouse", create_table=True
    )
    send >> wait >> export
