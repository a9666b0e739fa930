"""Every day: a text of their own to everybody who has an appointment and opted in."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_dropcowboy.operators.sms import SendSmsOperator

with DAG(
    dag_id="sms_reminder_with_consent",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A text with consent

    A text goes only to people who opted in: the task must say who did, by a column, or that all of them did
    (`opt_in=True`). Only a clear yes counts: true, t, yes, y or 1.

    `{first_name}` is a column of the query. A row whose text comes out longer than 160 characters, or lacks a value, is
    counted as invalid and not sent.

    Needs the connections `dropcowboy_default` and `warehouse`.
    """,
) as dag:
    SendSmsOperator(
        task_id="remind",
        # What a text needs is best made in the query: how a name or a time is written, and what stands for nothing.
        sql="SELECT contact_id, phone, consented, COALESCE(first_name, 'there') AS first_name FROM due_today",
        sql_conn_id="warehouse",
        key_column="contact_id",
        opt_in_column="consented",
        sms_body="Hi {first_name}, we see you tomorrow. Reply STOP to get no more texts.",
        caller_id="+15045550100",  # a number of yours that may text
        pool_id="c0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
    )
