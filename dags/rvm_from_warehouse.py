"""Every day: a voicemail to everybody who is due."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG(
    dag_id="rvm_from_warehouse",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,  # a voicemail of last week is of no use today
    # A retry contacts only people who were not contacted yet, so it is safe.
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A voicemail from a warehouse table

    Each run of the schedule is one campaign, and each contact gets at most one voicemail of it, whether the task is
    retried, cleared or backfilled. The task's XCom counts every row of the table: sent, or why not.

    Who may not be called at this hour is held; the task waits for the hour without a worker, so a triggerer must run.

    Needs the connections `dropcowboy_default` (with a default brand) and `warehouse` (any database Airflow knows).
    """,
) as dag:
    SendRvmOperator(
        task_id="send",
        sql="SELECT contact_id, phone, postal_code, consented FROM due_today",
        sql_conn_id="warehouse",
        key_column="contact_id",  # names a person for good, even when the number changes
        postal_code_column="postal_code",  # says where the person lives, for calling hours; a number may have moved
        opt_in_column="consented",  # who did not consent is counted as suppressed
        recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
    )
