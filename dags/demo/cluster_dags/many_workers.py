"""One campaign over all workers: eight mapped tasks, and a task that returns the counts of the whole."""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

CAMPAIGN = "payment reminder {{ ds }}"

with DAG(
    dag_id="many_workers",
    schedule=None,
    default_args={"retries": 10, "retry_delay": timedelta(seconds=2)},
    doc_md="""
    ### A large campaign on several workers

    The eight parts are one campaign: they share its limits, its budget and the account's connections, and whatever is
    run again contacts nobody twice. `wait` returns the counts of all of it.

    Needs the connections `dropcowboy_default` and `warehouse`, and a ledger on PostgreSQL.
    """,
) as dag:
    SendRvmOperator.partial(
        task_id="send",
        sql="SELECT contact_id, phone, postal_code FROM due_today",
        sql_conn_id="warehouse",
        key_column="contact_id",
        postal_code_column="postal_code",
        recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
        campaign=CAMPAIGN,
        message_kind="informational",
        concurrency=20,
    ).expand(partition=partitions(8)) >> DropCowboyDeliverySensor(
        task_id="wait", campaign=CAMPAIGN, deferrable=True, poke_interval=2
    )
