"""A text to the on-call goes out once an event, and never stands in the way of what it is about."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG
from airflow.utils.state import DagRunState

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.notifications.dropcowboy import DropCowboyNotifier
from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID
from tests.in_airflow.dag_runs import clear_and_rerun, run_as_a_developer_does, run_dag
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

ON_CALL: Final = "+15045550142"
LOGICAL_DATE: Final = datetime(2026, 11, 24, tzinfo=UTC)


def notifier(**arguments: Any) -> DropCowboyNotifier:
    """Texts the on-call which task it was."""
    text = "{{ ti.dag_id }}.{{ ti.task_id }} of {{ run_id }}"
    given: dict[str, Any] = {
        "to": ON_CALL,
        "text": text,
        "caller_id": "+15045550100",
        "pool_id": POOL_ID,
        "opt_in": True,
    }
    return DropCowboyNotifier(**(given | arguments))


def failing(dag_id: str = "broken", dag_callback: DropCowboyNotifier | None = None, **arguments: Any) -> DAG:
    """A DAG whose one task fails; ``arguments`` are the task's."""
    with DAG(dag_id, schedule=None, on_failure_callback=dag_callback) as dag:
        PythonOperator(task_id="fail", python_callable=fail, **arguments)
    return dag


def fail() -> None:
    """Fails."""
    raise RuntimeError("no such table")


def texts(sandbox: SandboxProcess) -> list[str]:
    """What the on-call could read, in no order."""
    return [send["first_body"]["sms_body"] for send in sandbox.sends().values() for _ in range(send["takes"])]


@pytest.mark.floor
def test_a_task_that_fails_after_its_retries_texts_the_on_call_once(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    dag = failing(retries=2, retry_delay=timedelta(0), on_failure_callback=notifier())
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.FAILED
    assert texts(sandbox) == [f"broken.fail of {run.run_id}"]
    assert sum(sandbox.asks().values()) == 1
    assert f"A text to the on-call about broken.fail (failed, run {run.run_id}) is on its way" in caplog.text


def test_a_run_that_is_cleared_and_fails_again_says_nothing_new(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    clear_and_rerun(run_dag(failing(on_failure_callback=notifier()), logical_date=LOGICAL_DATE))
    assert len(texts(sandbox)) == sum(sandbox.asks().values()) == 1
    assert "had a text about broken.fail" in caplog.text


def test_another_run_a_retry_and_another_number_are_told_apart(sandbox: SandboxProcess) -> None:
    dag = failing(
        retries=1,
        retry_delay=timedelta(0),
        on_retry_callback=notifier(),
        on_failure_callback=[notifier(), notifier(to="+15045550143")],
    )
    for day in (0, 1):
        run_dag(dag, logical_date=LOGICAL_DATE + timedelta(days=day))
    assert sandbox.takes_by_phone() == {ON_CALL: 4, "+15045550143": 2}


def test_a_mapped_task_is_one_event_however_many_of_it_fail(sandbox: SandboxProcess) -> None:
    with DAG("broken", schedule=None) as dag:
        PythonOperator.partial(task_id="fail", python_callable=fail, on_failure_callback=notifier()).expand(
            op_args=[[], [], []]
        )
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert len(texts(sandbox)) == 1


def test_a_text_whose_answer_was_lost_is_not_sent_again_and_says_so(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fault("lose_answer", times=1)
    clear_and_rerun(run_dag(failing(on_failure_callback=notifier()), logical_date=LOGICAL_DATE))
    assert sum(sandbox.asks().values()) == 1
    warned = [record.message for record in caplog.records if "may have been sent" in record.message]
    assert len(warned) == 2
    assert "dropcowboy unknown settle 'alert failed: broken.fail@" in warned[0]


def test_a_long_text_is_cut_and_its_braces_are_no_columns(sandbox: SandboxProcess) -> None:
    text = '{"task": "{{ ti.task_id }}"} ' + "x" * 200
    run_dag(failing(on_failure_callback=notifier(text=text)), logical_date=LOGICAL_DATE)
    (sent,) = texts(sandbox)
    assert sent.startswith('{"task": "fail"} xxx')
    assert sent.endswith("x...")
    assert len(sent) == 160


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda sandbox, _environment: sandbox.fault("unauthorized"), "HTTP 401"),
        (lambda sandbox, _environment: sandbox.fault("invalid_400"), "it is rejected: Invalid message"),
        (
            lambda _sandbox, environment: environment.delenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT"),
            "Is there a connection 'dropcowboy_default'",
        ),
        (
            lambda _sandbox, environment: environment.setenv("DROPCOWBOY_LEDGER_URL", "sqlite:////dev/null/ledger.db"),
            "ledger",
        ),
    ],
    ids=["wrong secret", "refused", "no connection", "no ledger"],
)
def test_what_cannot_be_sent_is_one_error_in_the_log_and_the_task_fails_of_its_own(
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    break_it: Callable[[SandboxProcess, pytest.MonkeyPatch], None],
    said: str,
) -> None:
    break_it(sandbox, monkeypatch)
    run = run_dag(failing(on_failure_callback=notifier()), logical_date=LOGICAL_DATE)
    assert str(run.task("fail").error) == "no such table"
    (error,) = [record.message for record in caplog.records if "No text to the on-call" in record.message]
    assert said in error
    assert "Failed to run task callback" not in caplog.text
    assert texts(sandbox) == []


def test_neither_the_number_nor_the_text_is_in_the_log(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for fault in ("invalid_400", "lose_answer", "429_seconds"):
        sandbox.fault(fault, times=1, delay_s=0)
    dag = failing(on_failure_callback=notifier(text="The vault is open: {{ ti.task_id }}"))
    for day in range(4):
        run_dag(dag, logical_date=LOGICAL_DATE + timedelta(days=day))
    assert "alert failed: broken.fail@" in caplog.text
    for hidden in ("5045550142", "5045550100", "The vault is open", sandbox.secret):
        assert hidden not in caplog.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, None),
        ("{{ dag.dag_id }} failed: {{ reason }}", "'reason' is undefined"),
        ("{{ ti.task_id", "unexpected end of template"),
        ("{{ '' }}", "it renders to nothing"),
        ("{{ ti.task_id[9999] }}", "has no element 9999"),
        ("{{ 1 / 0 }}", "unexpected ZeroDivisionError"),
    ],
)
def test_an_alert_is_never_lost_to_its_text(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture, text: str | None, why: str | None
) -> None:
    run = run_dag(failing(on_failure_callback=notifier(text=text)), logical_date=LOGICAL_DATE)
    (sent,) = texts(sandbox)
    assert re.fullmatch(
        rf"broken\.fail failed at \d{{4}}-\d\d-\d\d \d\d:\d\d UTC\. Run {re.escape(run.run_id)}\.", sent
    )
    said = [record.getMessage() for record in caplog.records if "could not be rendered" in record.getMessage()]
    assert [why in each for each in said if why] == ([True] if why else [])


@pytest.mark.parametrize("text", [None, "{{ dag.dag_id }} failed: {{ reason }}", "{{ no_such_name }}"])
def test_a_run_that_fails_in_a_dag_test_texts_the_on_call(sandbox: SandboxProcess, text: str | None) -> None:
    dag = failing(dag_callback=notifier(text=text))
    run_as_a_developer_does(dag, logical_date=LOGICAL_DATE)
    (sent,) = texts(sandbox)
    expected = "broken failed: " if text and "reason" in text else "broken failed at "
    assert sent.startswith(expected)


def test_one_notifier_of_two_tasks_says_which_one_failed(sandbox: SandboxProcess) -> None:
    with DAG("broken", schedule=None, default_args={"on_failure_callback": notifier(text="{{ ti.task_id }}")}) as dag:
        PythonOperator(task_id="load", python_callable=fail)
        PythonOperator(task_id="send", python_callable=fail)
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sorted(texts(sandbox)) == ["load", "send"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"opt_in": False}, "opt_in must be True"),
        ({"to": "504-555-0142"}, "to is not in E.164 format"),
        ({"caller_id": "me"}, "caller_id is not in E.164 format"),
        ({"text": " "}, "text is empty"),
    ],
)
def test_a_wrong_argument_is_found_when_the_dag_is_parsed_and_no_number_is_shown(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        notifier(**arguments)
    assert "0142" not in str(caught.value)


def test_a_templated_number_is_known_when_it_is_sent(sandbox: SandboxProcess) -> None:
    dag = failing(params={"on_call": ON_CALL}, on_failure_callback=notifier(to="{{ params.on_call }}"))
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert sandbox.takes_by_phone() == {ON_CALL: 1}


def test_a_missed_deadline_is_told_once_from_the_triggerer(sandbox: SandboxProcess) -> None:
    # as Airflow's scheduler writes it down for the triggerer
    run = {"dag_id": "late", "dag_run_id": "manual__2026-11-24", "run_after": "2026-11-24T00:00:00Z"}
    context = {"dag_run": run, "deadline": {"id": "0199", "deadline_time": "2026-11-24T01:00:00Z"}}

    async def tell() -> None:
        for _ in ("once", "again, after the triggerer was restarted"):
            await notifier(text="{{ dag_run.dag_id }} is late", context=dict(context))

    asyncio.run(tell())
    assert texts(sandbox) == ["late is late"]
    assert sum(sandbox.asks().values()) == 1
