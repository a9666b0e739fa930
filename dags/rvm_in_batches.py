"""One campaign, cut into four tasks."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG(
    dag_id="rvm_in_batches",
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A large campaign as mapped tasks

    Each of the four mapped tasks reads the same query and sends to the contacts of its part, so that you can watch,
    clear and retry each alone. They are one campaign: nobody is in two parts. If you cut the source anew, say in eight,
    still nobody is contacted twice.

    This is for a better view, not for speed: one task alone can use all connections that Drop Cowboy allows an account,
    and the four share them.

    Needs the connections `dropcowboy_default` and `warehouse`.
    """,
) as dag:
    SendRvmOperator.partial(
        task_id="send",
        sql="SELECT contact_id, phone, consented FROM due_today",
        sql_conn_id="warehouse",
        key_column="contact_id",
        opt_in_column="consented",
        recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
        concurrency=20,
    ).expand(partition=partitions(4))
