"""No secret, no number and no person's text is in anything that Airflow writes, even when it logs all it can."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from psycopg import sql

from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import Warehouse
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

SECRET: Final = "kX7/qp+Zr=42&vN?s3cret"
CALLBACK_SECRET: Final = "cb:9f/Qw+Tz=77&key"
PEOPLE: Final = (
    (1, "(985) 555-0161", "70112", "Zebulonia", 1),
    (2, "+19855550162", "70112", "Quixotina", 1),
    (3, "985.555.0163", "70112", "Wolframine", 1),
    (4, "9855550164", "70112", "Xanthippus", 0),
    (5, "985-555-01650", "70112", "Yggdrasila", 1),
    (6, "19855550166", "70112", "Vercingeto", 1),
)
PRIVATE: Final = [
    *(name for *_, name, _consented in PEOPLE),
    *(str(phone) for _key, phone, *_ in PEOPLE),
    *(form for last in range(61, 70) for form in (f"985555{100 + last:04d}", f"985-555-{100 + last:04d}")),
    *(
        form
        for text in (SECRET, CALLBACK_SECRET)
        for form in (text, quote(text), quote(text, safe=""), quote_plus(text))
    ),
]

SENDING: Final = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.operators.sms import SendSmsOperator

QUERY = "SELECT contact_id, phone, postal_code, first_name, consented FROM due_today"
COMMON = dict(sql_conn_id="private_warehouse", dropcowboy_conn_id="private", key_column="contact_id")
VOICEMAIL = dict({voicemail!r}, **COMMON)

with DAG("private", schedule=None):
    SendSmsOperator(
        task_id="text",
        sql=QUERY,
        opt_in_column="consented",
        sms_body="Dear {{first_name}}, it is time.",
        caller_id="+15045550100",
        pool_id={pool!r},
        callback_url={callback_url!r},
        retries=1,
        retry_delay=timedelta(0),
        **COMMON,
    )
    SendRvmOperator(task_id="speak", sql=QUERY, voice_id="v", tts_body="Dear {{first_name}}", **COMMON)
    SendRvmOperator(task_id="preview", sql=QUERY, dry_run=True, **VOICEMAIL)
    SendRvmOperator(task_id="break", sql="SELECT first_name, nothing FROM due_today", **VOICEMAIL)
    SendRvmOperator(task_id="break_half_way", sql=QUERY + " WHERE contact_id < 4 OR json(phone)", **VOICEMAIL)
"""


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """A sandbox with a secret that is written differently in a URL."""
    with SandboxProcess(secret=SECRET) as process:
        yield process


def files_with(private: str, folder: Path) -> list[str]:
    """The files that hold the text; but for the ledger, which is the one place where it belongs."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "dropcowboy-ledger.db" not in path.name and private.encode() in path.read_bytes()
    ]


def test_airflow_writes_down_nothing_private(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess, warehouse: Warehouse
) -> None:
    airflow = airflow_processes
    warehouse.due_today(*PEOPLE)
    # every kind of answer has its own words in a log: refused, asked again, in doubt, unreadable
    sandbox.fault("429_seconds", route="sms", to="+19855550161", times=6, delay_s=0)
    sandbox.fault("invalid_400", route="sms", to="+19855550162", times=1)
    sandbox.fault("html_200_after", route="sms", to="+19855550163", times=1)
    sandbox.fault("lose_answer", route="sms", to="+19855550166", times=1)
    fields = connection_to(sandbox)
    extra = json.dumps(fields.pop("extra") | {"callback_secret": CALLBACK_SECRET, "byoc_secret": {"token": SECRET}})
    airflow.add_connection("private", **fields, extra=extra)
    airflow.add_connection("private_warehouse", conn_type="sqlite", host=str(warehouse.path))
    source = SENDING.format(pool=POOL_ID, callback_url=f"{sandbox.base_url}/nowhere", voicemail=VOICEMAIL)
    airflow.add_dag("private", source)
    run_id = airflow.trigger("private")
    airflow.wait_for_run("private", run_id)

    faults_met = sandbox.stats()["faults_met"]
    assert faults_met == {"429_seconds": 6, "invalid_400": 1, "html_200_after": 1, "lose_answer": 1}
    bodies = [send["first_body"] for send in sandbox.sends().values()]
    assert "Dear Zebulonia, it is time." in [body.get("sms_body") for body in bodies]
    for task_id in ("break", "break_half_way"):
        assert '"level":"error"' in airflow.log_text("private", run_id, task_id=task_id)
    assert '"level":"debug"' in airflow.log_text("private", run_id, task_id="text")
    write_down_database(airflow.database_url, airflow.home / "database")
    # the search finds what is there
    assert "database/dag_code" in files_with("Dear {first_name}", airflow.home)
    assert "database/connection" in files_with("private_warehouse", airflow.home)

    assert {text: found for text in PRIVATE if (found := files_with(text, airflow.home))} == {}


def write_down_database(url: str, folder: Path) -> None:
    """Each table of Airflow's own database as a text file."""
    folder.mkdir()
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        database.execute("SET bytea_output = 'escape'")
        for (table,) in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            with (
                database.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows,
                (folder / table).open("wb") as file,
            ):
                file.writelines(rows)
