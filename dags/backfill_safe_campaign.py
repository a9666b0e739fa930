"""Every day: a voicemail to people with an appointment tomorrow. A backfill contacts only those a run missed."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG(
    dag_id="backfill_safe_campaign",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### Safe to backfill

    Two things make a day's run mean the same whenever it runs:

    * The query takes the day from the run (`{{ ds }}`), never from the database's clock (`CURRENT_DATE`). A backfill of
      Monday then reads Monday's people.
    * The campaign is named after the same date. It is so by default, `{dag_id}.{task_id}@{logical_date}`; here it is
      written out, so that it stays the same when somebody renames the DAG or the task.

    So a backfill, a clear or a retry of a day finds the day's campaign, and contacts only people it has not contacted.

    A scheduled or backfilled run that is more than a day late is skipped (`max_staleness`), since a reminder of last
    week helps nobody. Where it is meant, give the backfill the conf `{"dropcowboy_allow_stale": true}`.

    A run triggered by hand needs a logical date, since it has no `ds` without one.

    Needs the connections `dropcowboy_default` and `warehouse`.
    """,
) as dag:
    SendRvmOperator(
        task_id="remind",
        # Placeholders are those of the database's driver: :day for SQLite, %(day)s for PostgreSQL and Snowflake.
        sql="SELECT contact_id, phone FROM appointments WHERE remind_on = :day AND consented",
        parameters={"day": "{{ ds }}"},  # a parameter, not a part of the text: nobody has to quote it
        sql_conn_id="warehouse",
        key_column="contact_id",
        campaign="appointment reminder {{ ds }}",
        message_kind="informational",  # it sells nothing, so laws on recorded sales messages do not apply
        recording_id="a0000000-0000-4000-8000-000000000002",  # one of your account; this is the sandbox's
    )
