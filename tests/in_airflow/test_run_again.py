"""Whatever Airflow repeats, the sandbox takes each message once."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.utils.state import DagRunState, TaskInstanceState

from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import number, numbers, rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
ON_LOGICAL_DATE = "@2026-11-24T00:00:00Z"


def sending(dag_id: str = "campaigns", **arguments: Any) -> DAG:
    """A DAG that sends voicemails to three contacts."""
    with DAG(dag_id, schedule=None) as dag:
        SendRvmOperator(task_id="send", **{"contacts": rows(3), "key_column": "contact_id", **VOICEMAIL, **arguments})
    return dag


@pytest.mark.floor
def test_a_cleared_task_sends_nothing_new(sandbox: SandboxProcess) -> None:
    run = run_dag(sending(), logical_date=LOGICAL_DATE)
    again = clear_and_rerun(run).task("send")
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    assert again.try_number == 2
    assert (again.returned["accepted"], again.returned["asked"], again.returned["already"]) == (3, 0, 3)


def test_a_cleared_task_sends_to_whom_the_source_has_got_since(sandbox: SandboxProcess) -> None:
    contacts = rows(2)
    run = run_dag(sending(contacts=lambda: contacts), logical_date=LOGICAL_DATE)
    contacts += rows(4)[2:]
    assert clear_and_rerun(run).task("send").returned["asked"] == 2
    assert sandbox.takes_by_phone() == numbers(0, 1, 2, 3)


def test_a_mended_number_is_sent_to_and_the_others_are_not_again(sandbox: SandboxProcess) -> None:
    contacts = [*rows(2), {"contact_id": 2, "phone": "504-555"}]
    run = run_dag(sending(contacts=lambda: contacts), logical_date=LOGICAL_DATE)
    assert run.task("send").returned["invalid"] == 1
    contacts[2]["phone"] = number(2)
    clear_and_rerun(run)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_a_retry_asks_only_those_who_were_surely_not_asked(sandbox: SandboxProcess) -> None:
    # more refusals than one try asks for, so that the task fails once
    sandbox.fault("429_seconds", to=number(1), times=6, delay_s=0)
    run = run_dag(sending(retries=1, retry_delay=timedelta(0)), logical_date=LOGICAL_DATE)
    send = run.task("send")
    assert (send.state, send.try_number) == (TaskInstanceState.SUCCESS, 2)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    assert sorted(sandbox.asks().values()) == [1, 1, 7]
    assert (send.returned["asked"], send.returned["already"]) == (1, 2)


def test_what_is_refused_to_the_end_fails_the_task_so_that_it_can_be_cleared(sandbox: SandboxProcess) -> None:
    sandbox.fault("429_seconds", to=number(1), delay_s=0)
    run = run_dag(sending(), logical_date=LOGICAL_DATE)
    error = run.task("send").error
    assert run.state == DagRunState.FAILED
    assert isinstance(error, AirflowException)
    assert not isinstance(error, AirflowFailException)
    assert "1 of 3 messages were not accepted" in str(error)
    sandbox.clear_faults()
    assert clear_and_rerun(run).state == DagRunState.SUCCESS
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_a_lost_answer_is_not_asked_again_by_a_cleared_task(sandbox: SandboxProcess) -> None:
    sandbox.fault("lose_answer", to=number(1), times=1)
    run = run_dag(sending(), logical_date=LOGICAL_DATE)
    assert run.task("send").returned["unknown"] == 1
    assert clear_and_rerun(run).task("send").returned["unknown"] == 1
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_refused_credentials_fail_the_task_without_a_retry_and_stop_it_at_once(sandbox: SandboxProcess) -> None:
    sandbox.fault("unauthorized")
    dag = sending(contacts=rows(150), concurrency=1, retries=3, retry_delay=timedelta(0))
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert (run.task("send").state, run.task("send").try_number) == (TaskInstanceState.FAILED, 1)
    assert isinstance(run.task("send").error, AirflowFailException)
    assert sandbox.takes()["asks"] < 10
    sandbox.clear_faults()
    clear_and_rerun(run)
    assert sandbox.takes_by_phone() == numbers(*range(150))


def test_mapped_partitions_are_one_campaign_and_may_be_cut_anew(sandbox: SandboxProcess) -> None:
    def in_parts(count: int) -> DAG:
        with DAG("campaigns", schedule=None) as dag:
            SendRvmOperator.partial(
                task_id="send", contacts=rows(30), key_column="contact_id", campaign="spring", **VOICEMAIL
            ).expand(partition=partitions(count))
        return dag

    run = run_dag(in_parts(3), logical_date=LOGICAL_DATE)
    assert [run.task("send", map_index).returned["campaign"] for map_index in range(3)] == ["spring"] * 3
    clear_and_rerun(run)
    run_dag(in_parts(5), logical_date=LOGICAL_DATE + timedelta(days=1))
    assert sandbox.takes_by_phone() == numbers(*range(30))
    assert set(sandbox.asks().values()) == {1}


def test_the_same_content_goes_to_the_same_people_once_a_day_in_whichever_campaign(sandbox: SandboxProcess) -> None:
    run_dag(sending(), logical_date=LOGICAL_DATE)
    by_hand = run_dag(sending()).task("send").returned
    assert (by_hand["capped"], by_hand["asked"]) == (3, 0)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


def test_without_that_cap_the_next_logical_date_is_sent_to_everybody_again(sandbox: SandboxProcess) -> None:
    for day in (0, 1):
        run_dag(sending(repeat_window=None), logical_date=LOGICAL_DATE + timedelta(days=day))
    assert sandbox.takes_by_phone() == {number(index): 2 for index in range(3)}
    assert set(sandbox.asks().values()) == {1}


def test_the_log_says_first_whether_the_campaign_is_new(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="airflow_provider_dropcowboy.campaign"):
        clear_and_rerun(run_dag(sending(), logical_date=LOGICAL_DATE))
    said = [text for text in caplog.messages if text.startswith(f"campaign campaigns.send{ON_LOGICAL_DATE} (")]
    assert [("new" in text, "known" in text) for text in said] == [(True, False), (False, True)]


def test_a_dry_run_counts_who_would_be_sent_to_and_asks_nobody(sandbox: SandboxProcess, tmp_path: Path) -> None:
    contacts = [*rows(3), {"contact_id": 3, "phone": None}]
    returned = run_dag(sending(contacts=contacts, dry_run=True), logical_date=LOGICAL_DATE).task("send").returned
    assert (returned["read"], returned["ready"], returned["invalid"], returned["asked"]) == (4, 3, 1, 0)
    assert sandbox.takes()["asks"] == 0
    assert not (tmp_path / "ledger.db").exists()


def test_without_a_setting_the_ledger_is_a_file_under_airflow_home(
    sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DROPCOWBOY_LEDGER_URL")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    run_dag(sending(), logical_date=LOGICAL_DATE)
    with closing(sqlite3.connect(tmp_path / "dropcowboy-ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM dropcowboy_sends").fetchone() == (3,)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)


@pytest.fixture
def other_ledger(tmp_path: Path) -> str:
    """A ledger that is older than every run of the test."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    open_ledger(url, may_create=True).engine.dispose()
    return url


def test_a_cleared_task_that_finds_another_ledger_sends_nothing_however_often_it_is_cleared(
    sandbox: SandboxProcess, other_ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_dag(sending(repeat_window=None), logical_date=LOGICAL_DATE)
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", other_ledger)
    for _ in range(2):
        run = clear_and_rerun(run)
        error = run.task("send").error
        assert isinstance(error, AirflowFailException)
        assert "used ledger" in str(error)
        assert f"dropcowboy ledger adopt 'campaigns.send{ON_LOGICAL_DATE}'" in str(error)
    assert sandbox.takes_by_phone() == numbers(0, 1, 2)
    assert set(sandbox.asks().values()) == {1}


def test_a_new_mapped_task_beside_siblings_of_another_ledger_sends_nothing(
    sandbox: SandboxProcess, other_ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = partitions(2)
    with DAG("campaigns", schedule=None) as dag:
        cut = PythonOperator(task_id="cut", python_callable=lambda: list(parts))
        SendRvmOperator.partial(
            task_id="send", contacts=rows(30), key_column="contact_id", max_active_tis_per_dag=1, **VOICEMAIL
        ).expand(partition=cut.output)
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == numbers(*range(30))
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", other_ledger)
    parts = partitions(4)
    again = clear_and_rerun(run)
    errors = [str(again.task("send", map_index).error) for map_index in range(4)]
    assert ["used ledger" in error for error in errors] == [True] * 4
    assert set(sandbox.asks().values()) == {1}
