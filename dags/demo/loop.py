"""What the DAG of the demo is compared with: a loop of ``requests.post``."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import requests

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from tests.sandbox_process import SandboxProcess

RETRIES: Final = 3
"""Of the DAG's task."""

FAULTS: Final = ("--fault", "429=0.002", "--fault", "lose_answer=0.002")


def post_without_a_ledger(warehouse: Path, *, api: str) -> tuple[int, int, int]:
    """The same DAG with ``requests.post``, on a sandbox with the same faults: a loop that fails at the first error.

    Airflow retries the task ``RETRIES`` times, from the first row on. On API v2, no request has an idempotency key.

    :returns: requests, different people called, and people called more than once.
    """
    with closing(sqlite3.connect(warehouse)) as connection:
        rows = connection.execute("SELECT contact_id, phone FROM due_today WHERE consented = 'yes'").fetchall()
    with SandboxProcess(*FAULTS) as sandbox, requests.Session() as session:
        session.trust_env = False
        is_v1 = api == "v1"
        login = {"x-team-id": sandbox.team_id} if is_v1 else {"x-key": sandbox.key}
        session.headers.update({**login, "x-secret": sandbox.secret})
        url = f"{sandbox.base_url if is_v1 else sandbox.v2_url}/rvm"
        for _try in range(1 + RETRIES):
            try:
                for contact_id, phone in rows:
                    digits = "".join(filter(str.isdigit, phone or ""))[-10:]
                    if len(digits) < 10:
                        continue
                    body = {
                        "team_id": sandbox.team_id, "secret": sandbox.secret, "brand_id": BRAND_ID,
                        "recording_id": RECORDING_ID, "phone_number": f"+1{digits}",
                    } if is_v1 else {"media_id": RECORDING_ID, "to": f"+1{digits}"}  # fmt: skip
                    body["foreign_id"] = str(contact_id)
                    session.post(url, json=body, timeout=30).raise_for_status()
            except requests.RequestException:
                continue  # the task fails, and is retried
            break
        calls = sandbox.takes_by_phone().values()
        return sandbox.takes()["asks"], sum(count > 0 for count in calls), sum(count > 1 for count in calls)
