"""A campaign in a test's own Airflow whose results the test brings itself."""

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from airflow.sdk import DAG, task

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.reconcile import Received, reconcile
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import FinishedRun
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import rows

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
CAMPAIGN = "{{ ti.xcom_pull('send')['campaign'] }}"
SENDING: dict[str, Any] = {**VOICEMAIL, "key_column": "contact_id", "calling_hours": "off"}


def tell(ledger: Ledger, *, failed: int = 0, untold: int = 0) -> None:
    """A result comes for each accepted send, but for so many; so many of the others failed."""
    with ledger.reading() as connection:
        sends = connection.execute(
            sa.select(SENDS.c.foreign_id, SENDS.c.phone_number)
            .where(SENDS.c.state == "accepted")
            .order_by(SENDS.c.phone_number)
        ).all()
    received = []
    for place, send in enumerate(sends[: len(sends) - untold]):
        ending = {"status": "failure", "reason": "Voicemail box full"} if place < failed else {"status": "success"}
        payload = json.dumps({**ending, "phone_number": send.phone_number, "drop_id": f"d{place}", "product_cost": 0.1})
        received.append(Received(send.foreign_id, 1, read_callback(payload.encode()), payload))
    reconcile(ledger, received)


def sending(ledger: Ledger, *further: Any, told: bool = True, **results: int) -> DAG:
    """A DAG that sends to four, is told the results, and goes on with these tasks."""
    with DAG("results", schedule=None) as dag:
        chain: Any = SendRvmOperator(task_id="send", contacts=rows(4), repeat_window=None, **SENDING)
        if told:

            @task(task_id="tell")
            def tell_all() -> None:
                tell(ledger, **results)

            chain = chain >> tell_all()
        for each in further:
            dag.add_task(each)
            chain = chain >> each
    return dag


def only(run: FinishedRun, task_id: str) -> Any:
    return run.task(task_id).returned
