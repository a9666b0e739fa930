"""An Airflow at which people must log in, with a campaign that it has just sent and whose results came in."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import rows
from tests.postgres_server import PostgresServer
from tests.sandbox_process import SandboxProcess

LOGIN: Final = {"username": "ann", "password": "ann's-password"}

DAG_ID: Final = "payment_reminder"
TASK_ID: Final = "call"
SENDING: Final = """
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG({dag_id!r}, schedule=None):
    SendRvmOperator(
        task_id={task_id!r},
        contacts=lambda: {contacts!r},
        key_column="contact_id",
        dropcowboy_conn_id="with_results",
        **{voicemail!r},
    )
"""

OUTCOMES: Final = {"success": 0.8, "failure": 0.15, "dnc": 0.05}
"""A result for each send, so that there is an end to wait for."""


class Site:
    """A context manager.

    :param folder: a new one, for all that it writes.
    :ivar run_id: of the run that was made.
    :ivar by_outcome: what the vendor made of its sends: ``success``, ``failure``, ``dnc``.
    """

    def __init__(self, folder: Path) -> None:
        self._ledger = folder / "ledger.db"
        with ExitStack() as stack:
            self.sandbox = stack.enter_context(SandboxProcess())
            self.sandbox.settings(outcomes=OUTCOMES)
            fields = connection_to(self.sandbox)
            fields["extra"] |= {"callback_secret": "callback-secret-1"}
            postgres = stack.enter_context(PostgresServer())
            self.airflow = AirflowProcesses(
                folder,
                postgres.url(postgres.create_database()),
                environment={
                    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                    "AIRFLOW_CONN_DROPCOWBOY_DEFAULT": json.dumps(fields),
                    "DROPCOWBOY_LEDGER_URL": f"sqlite:///{self._ledger}",
                },
                login=LOGIN,
            )
            stack.callback(self.airflow.stop)
            # only now the address is known at which Airflow's own receiver listens
            extra = fields["extra"] | {"callback_url": f"{self.airflow.url}/dropcowboy"}
            self.airflow.add_connection("with_results", **(fields | {"extra": json.dumps(extra)}))
            self._running = stack.pop_all()
        self.url = self.airflow.url

    def send(self, contacts: int) -> None:
        """So many people were called and their results came in; one more row has no number."""
        source = SENDING.format(
            dag_id=DAG_ID,
            task_id=TASK_ID,
            contacts=[*rows(contacts), {"contact_id": "no-number", "phone": "12"}],
            voicemail=VOICEMAIL,
        )
        self.airflow.add_dag(DAG_ID, source)
        self.run_id = self.airflow.trigger(DAG_ID)
        assert self.airflow.wait_for_run(DAG_ID, self.run_id) == "success"
        self.by_outcome: Mapping[str, int] = self.sandbox.callbacks(wait_for=contacts)["by_outcome"]
        self._spread(contacts)

    def _spread(self, contacts: int) -> None:
        """The results came one a second, so that there is something to draw."""
        ledger = open_ledger(f"sqlite:///{self._ledger}")
        is_final = sa.select(sa.func.count()).where(SENDS.c.final_at.is_not(None))

        def have_come() -> bool:
            with ledger.reading() as connection:
                return connection.execute(is_final).scalar_one() == contacts

        self.airflow.wait_until(have_come, until="all results are in the ledger")
        with ledger.writing() as connection:
            sent = connection.execute(
                sa.select(SENDS.c.foreign_id, SENDS.c.final_at).where(SENDS.c.final_at.is_not(None))
            )
            for second, row in enumerate(sent.all()):
                final_at = row.final_at - timedelta(seconds=second)
                connection.execute(SENDS.update().where(SENDS.c.foreign_id == row.foreign_id).values(final_at=final_at))
        ledger.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
