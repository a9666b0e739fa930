"""Every morning: Redshift unloads who is due to S3, a voicemail goes to each of them, and the results go back."""

from datetime import timedelta

import pendulum
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, Param

from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

CAMPAIGN = "due {{ ds }}"
FOLDER = "{{ params.folder }}/due/{{ ds }}"

with DAG(
    dag_id="redshift_unload",
    schedule="0 14 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"folder": Param("s3://campaigns", type="string", minLength=1)},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A file between Redshift and the campaign

    `unload` writes one CSV file a day to S3, and overwrites it when it runs again. `send` streams the file, so that no
    cursor stays open in Redshift for as long as the calls take. `wait` and `export` bring the results back.

    Needs the connections `dropcowboy_default` (with a receiver for results) and `warehouse` of type `redshift`, and the
    provider of Amazon for `s3://`.
    """,
) as dag:
    unload = SQLExecuteQueryOperator(
        task_id="unload",
        conn_id="warehouse",
        sql=f"""
UNLOAD ('SELECT contact_id, phone, postal_code FROM due WHERE due_on = ''{{{{ ds }}}}''')
TO '{FOLDER}_' IAM_ROLE default
FORMAT CSV HEADER PARALLEL OFF ALLOWOVERWRITE EXTENSION 'csv'
""",
    )
    send = SendRvmOperator(
        task_id="send",
        path=f"{FOLDER}_000.csv",  # as Redshift names the first file, and with PARALLEL OFF the only one up to 6.2 GB
        key_column="contact_id",
        postal_code_column="postal_code",
        campaign=CAMPAIGN,
        message_kind="informational",
        recording_id="a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
    )
    wait = DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN, expire_after=timedelta(hours=72))
    export = ExportDeliveriesOperator(
        task_id="export", campaign=CAMPAIGN, table="deliveries", table_conn_id="warehouse", create_table=True
    )
    unload >> send >> wait >> export
