"""The public names as a user's DAG has them: mypy checks this file, and nothing runs it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import assert_type

from airflow.sdk import DAG, Context, XComArg

from airflow_provider_dropcowboy.api.account import Brand, Pool, Recording
from airflow_provider_dropcowboy.api.lists import ContactList
from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError, NothingSentError
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.notifications.dropcowboy import DropCowboyNotifier
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.operators.sms import SendSmsOperator
from airflow_provider_dropcowboy.sensors.contact_list import DropCowboyContactListSensor
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor


def due() -> Iterator[Mapping[str, object]]:
    """Contacts of a function of the user's."""
    yield {"contact_id": 1, "phone": "+15045550101"}


def a_dag_of_everything() -> DAG:
    """Each operator, sensor and notifier, with arguments of each type."""
    alert = DropCowboyNotifier(to="+15045550142", caller_id="+15045550100", opt_in=True)
    with DAG("everything", schedule=None, on_failure_callback=alert) as dag:
        send = SendRvmOperator(
            task_id="send",
            sql="SELECT contact_id, phone FROM due",
            sql_conn_id="warehouse",
            parameters={"day": "{{ ds }}"},
            key_column="contact_id",
            recording_id="r",
            message_kind="informational",
            calling_hours="federal",
            on_held="leave",
            wave_deadline=timedelta(hours=12),
            repeat_window=None,
            budget_usd=Decimal("12.50"),
            fail_if_nothing_sent=True,
        )
        SendRvmOperator(task_id="list", contacts=[{"phone": "+15045550101"}], voice_id="v", tts_body="Hi")
        SendRvmOperator(task_id="function", contacts=due, audio_url="https://host.example/a.mp3")
        SendRvmOperator(task_id="upstream", contacts=XComArg(send), recording_id="r")
        SendRvmOperator.partial(task_id="parts", recording_id="r", contacts=due).expand(partition=partitions(8))
        SendSmsOperator(
            task_id="text", path="s3://bucket/due.csv", sms_body="Hi", caller_id="+15045550100", opt_in=True
        )
        SyncContactListOperator(
            task_id="sync", list_name="due", mode="mirror", fields={"record_id": "id", "phone": "phone"}, contacts=due
        )
        ready = DropCowboyContactListSensor(task_id="ready", list_name="due", min_count=1, deferrable=True)
        wait = DropCowboyDeliverySensor(task_id="wait", campaign="c", min_final_share=0.9, fail_below_delivered=None)
        export = ExportDeliveriesOperator(task_id="export", campaign="c", table="t", table_conn_id="warehouse")
        send >> wait >> export
        ready >> export
    return dag


def results_are_counts(send: SendRvmOperator, export: ExportDeliveriesOperator, context: Context) -> None:
    """What tasks return goes into XCom: plain values by name."""
    assert_type(send.execute(context), dict[str, object])
    assert_type(export.execute(context), dict[str, object])


def a_hook_answers_with_types(hook: DropCowboyHook) -> None:
    """No dict of JSON reaches the user."""
    assert_type(hook.send_rvm(phone_number="+15045550101", recording_id="r"), str)
    assert_type(hook.test_connection(), tuple[bool, str])
    assert_type(hook.list_brands(), tuple[Brand, ...])
    assert_type(hook.list_recordings(), tuple[Recording, ...])
    assert_type(hook.list_pools(), tuple[Pool, ...])
    assert_type(hook.get_list("id"), ContactList)


def every_error_is_ours(error: ConfigurationError | NothingSentError) -> DropCowboyError:
    """One class catches them all."""
    return error
