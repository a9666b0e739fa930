"""A wrong argument is told when the DAG is parsed, or, where it is a template, before anyone is asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from airflow.utils.state import TaskInstanceState
from airflow.utils.types import DagRunType

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.operators.sms import SendSmsOperator
from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID, RECORDING_ID
from tests.in_airflow.dag_runs import FinishedTask, run_dag
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import numbers, rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
CONTACTS: dict[str, Any] = {"contacts": [{"phone": "+15045550100"}]}
TEXT: dict[str, Any] = {"sms_body": "Hello", "caller_id": "+15045550100", "opt_in": True}

WRONG_VOICEMAILS: dict[str, tuple[dict[str, Any], str]] = {
    "no source": ({"recording_id": "r"}, "exactly one of sql, contacts and path"),
    "two sources": (
        {**CONTACTS, "path": "file:///x.csv", "recording_id": "r"},
        "exactly one of sql, contacts and path",
    ),
    "no warehouse": ({"sql": "SELECT 1", "recording_id": "r"}, "sql_conn_id is missing"),
    "a warehouse without a query": ({**CONTACTS, "sql_conn_id": "w", "recording_id": "r"}, "sql_conn_id is given"),
    "no audio": ({**CONTACTS}, "exactly one audio source"),
    "two audio sources": ({**CONTACTS, "recording_id": "r", "audio_url": "https://x"}, "exactly one audio source"),
    "a voice without a text": ({**CONTACTS, "recording_id": "r", "voice_id": "v"}, "voice_id and tts_body belong"),
    "a text without a voice": ({**CONTACTS, "tts_body": "Hi"}, "voice_id and tts_body belong"),
    "a text that is no template": ({**CONTACTS, "voice_id": "v", "tts_body": "Hi {first name"}, "tts_body"),
    "an unknown audio type": ({**CONTACTS, "audio_url": "https://x", "audio_type": "ogg"}, "audio_type is 'ogg'"),
    "a number that is none": ({**CONTACTS, "recording_id": "r", "forwarding_number": "504"}, "forwarding_number"),
    "a part that does not exist": ({**CONTACTS, "recording_id": "r", "partition": "9/8"}, "partition 9/8"),
    "no connections": ({**CONTACTS, "recording_id": "r", "concurrency": 0}, "concurrency is 0"),
    "more than the vendor takes": ({**CONTACTS, "recording_id": "r", "concurrency": 100}, "concurrency is 100"),
    "an empty campaign": ({**CONTACTS, "recording_id": "r", "campaign": " "}, "campaign"),
    "a country that is none": ({**CONTACTS, "recording_id": "r", "region": "usa"}, "region"),
    "an empty column": ({**CONTACTS, "recording_id": "r", "key_column": ""}, "key_column is empty"),
}

WRONG_TEXTS: dict[str, tuple[dict[str, Any], str]] = {
    "no text": ({**TEXT, "sms_body": None}, "sms_body is missing"),
    "a text that is too long for everybody": ({**TEXT, "sms_body": "x" * 1601}, "1601 characters"),
    "a sender that is no number": ({**TEXT, "caller_id": "me"}, "caller_id is not in E.164 format"),
    "no consent": ({**TEXT, "opt_in": None}, "exactly one of opt_in=True"),
    "consent said twice": ({**TEXT, "opt_in_column": "consented"}, "exactly one of opt_in=True"),
    "consent denied": ({**TEXT, "opt_in": False}, "opt_in is not True"),
}


@pytest.mark.parametrize("case", WRONG_VOICEMAILS)
def test_a_wrong_voicemail_task_does_not_parse(case: str) -> None:
    arguments, said = WRONG_VOICEMAILS[case]
    with pytest.raises(ConfigurationError, match=said):
        SendRvmOperator(task_id="send", **arguments)


@pytest.mark.parametrize("case", WRONG_TEXTS)
def test_a_wrong_text_task_does_not_parse(case: str) -> None:
    arguments, said = WRONG_TEXTS[case]
    with pytest.raises(ConfigurationError, match=said):
        SendSmsOperator(task_id="send", **CONTACTS, **arguments)


def test_a_misspelt_argument_does_not_parse() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean recording_id"):
        SendRvmOperator(task_id="send", **CONTACTS, recording="r")


def failing(sandbox: SandboxProcess, operator: type[SendRvmOperator | SendSmsOperator], **arguments: Any) -> str:
    """What the only task of a DAG says when it fails at once, without a retry, and asks nobody."""
    with DAG("arguments", schedule=None) as dag:
        operator(task_id="send", retries=2, **arguments)
    send: FinishedTask = run_dag(dag, logical_date=LOGICAL_DATE, run_conf={"none": None}).task("send")
    assert (send.state, send.try_number) == (TaskInstanceState.FAILED, 1)
    assert isinstance(send.error, AirflowFailException)
    assert sandbox.takes()["asks"] == 0
    return str(send.error)


@pytest.mark.usefixtures("metadata_database", "vendor_connection")
class TestWhenTheTaskStarts:
    """What is known only then."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"partition": "{{ 9 }}/8"}, "partition 9/8"),
            ({"campaign": "{{ dag_run.conf.none }}"}, "'None' is not a campaign name"),
            ({"forwarding_number": "{{ 504 }}"}, "forwarding_number is not in E.164 format"),
            ({"recording_id": "{{ dag_run.conf.none or '' }}"}, "recording_id is empty"),
            ({"dry_run": "{{ dag_run.conf.none }}"}, "dry_run is 'None'"),
        ],
    )
    def test_a_wrong_template_fails_the_task(
        self, sandbox: SandboxProcess, arguments: dict[str, Any], said: str
    ) -> None:
        assert said in failing(sandbox, SendRvmOperator, contacts=rows(3), **{**VOICEMAIL, **arguments})

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({}, "A text needs a pool_id"),
            ({"pool_id": POOL_ID, "caller_id": None}, "A text needs a caller_id"),
            ({"pool_id": POOL_ID, "sms_body": "x" * 161}, "161 characters"),
        ],
    )
    def test_a_text_that_the_connections_version_of_the_api_refuses_fails_the_task(
        self, sandbox: SandboxProcess, arguments: dict[str, Any], said: str
    ) -> None:
        assert said in failing(sandbox, SendSmsOperator, contacts=rows(3), **{**TEXT, **arguments})

    def test_an_unknown_country_fails_the_task(self, sandbox: SandboxProcess) -> None:
        assert "region='XX'" in failing(sandbox, SendRvmOperator, contacts=rows(3), region="XX", **VOICEMAIL)

    def test_a_column_that_the_text_names_and_no_row_has_fails_the_task(self, sandbox: SandboxProcess) -> None:
        said = failing(
            sandbox, SendSmsOperator, contacts=rows(3), pool_id=POOL_ID, **{**TEXT, "sms_body": "Hi {first_name}"}
        )
        assert "first_name" in said

    def test_a_generator_of_contacts_fails_the_task(self, sandbox: SandboxProcess) -> None:
        said = failing(sandbox, SendRvmOperator, contacts=(row for row in rows(3)), **VOICEMAIL)
        assert "generator" in said

    def test_a_brand_of_the_connection_and_templates_of_the_run_are_used(self, sandbox: SandboxProcess) -> None:
        with DAG("arguments", schedule=None) as dag:
            SendRvmOperator(
                task_id="send",
                contacts=rows(3),
                recording_id="{{ dag_run.conf.recording }}",
                campaign="autumn {{ ds }}",
                partition="{{ 1 }}/1",
            )
        run = run_dag(dag, logical_date=LOGICAL_DATE, run_conf={"recording": RECORDING_ID})
        assert run.task("send").returned["campaign"] == "autumn 2026-11-24"
        assert sandbox.takes_by_phone() == numbers(0, 1, 2)

    def test_a_native_dag_sends_what_was_written_as_its_params_say(self, sandbox: SandboxProcess) -> None:
        with DAG(
            "native",
            schedule=None,
            render_template_as_native_obj=True,
            params={"dry": False, "limit": 2, "code": "007"},
        ) as dag:
            SendSmsOperator(
                task_id="send",
                contacts=rows(3),
                campaign="{{ ds_nodash }}",
                pool_id=POOL_ID,
                limit="{{ params.limit }}",
                dry_run="{{ params.dry }}",
                **{**TEXT, "sms_body": "{{ params.code }}"},
            )
        sent = run_dag(dag, logical_date=LOGICAL_DATE).task("send").returned
        assert (sent["campaign"], sent["read"], sent["accepted"], sent["held"]) == ("20261124", 3, 2, 1)
        bodies = [send["first_body"] for send in sandbox.sends().values()]
        assert [(body["caller_id"], body["sms_body"]) for body in bodies] == [("+15045550100", "007")] * 2

    def test_a_dag_that_runs_once_is_sent_however_long_ago_its_start_date_is(self, sandbox: SandboxProcess) -> None:
        begun_at = datetime.now(UTC) - timedelta(days=180)
        with DAG("once", schedule="@once", start_date=begun_at) as dag:
            SendRvmOperator(task_id="send", contacts=rows(1), **VOICEMAIL)
        run = run_dag(dag, logical_date=begun_at, run_type=DagRunType.SCHEDULED)
        assert run.task("send").state == TaskInstanceState.SUCCESS
        assert sandbox.takes()["asks"] == 1
