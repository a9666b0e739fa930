"""What Airflow hands over is what was written, and each argument is written in two places that agree."""

import inspect
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, XComArg, task, task_group
from airflow.sdk.definitions._internal.types import NOTSET
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from airflow_provider_dropcowboy.arguments import Arguments
from airflow_provider_dropcowboy.campaign.channels import AlertArguments, RvmArguments, SmsArguments
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.notifications.dropcowboy import DropCowboyNotifier
from airflow_provider_dropcowboy.operators._send import SendOperator
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportArguments, ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.operators.sms import SendSmsOperator
from airflow_provider_dropcowboy.sensors.contact_list import DropCowboyContactListSensor, ListSensorArguments
from airflow_provider_dropcowboy.sensors.delivery import DeliverySensorArguments, DropCowboyDeliverySensor

ROWS = [{"id": 1, "phone": "+15045550601"}]
VOICEMAIL: dict[str, Any] = {"contacts": ROWS, "recording_id": "r"}
TEXT: dict[str, Any] = {"contacts": ROWS, "caller_id": "+15045550100", "sms_body": "Hi", "opt_in": True}


def read(operator: BaseOperator, **context: Any) -> Any:
    """The arguments that a task works with, rendered by Airflow."""
    context |= {"dag": operator.dag}
    render: Any = operator.render_template_fields
    render(context)
    return operator._read(operator._arguments(), context)  # type: ignore[attr-defined]


def native(**arguments: Any) -> SendRvmOperator:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        return SendRvmOperator(task_id="send", **{**VOICEMAIL, **arguments})


@pytest.mark.parametrize(
    ("operators", "kind"),
    [
        ((SendOperator, SendRvmOperator), RvmArguments),
        ((SendOperator, SendSmsOperator), SmsArguments),
        ((SyncContactListOperator,), ListArguments),
        ((ExportDeliveriesOperator,), ExportArguments),
        ((DropCowboyDeliverySensor,), DeliverySensorArguments),
        ((DropCowboyContactListSensor,), ListSensorArguments),
        ((DropCowboyNotifier,), AlertArguments),
    ],
)
def test_a_signature_has_each_argument_with_its_default(
    operators: tuple[type[BaseOperator], ...], kind: type[Arguments]
) -> None:
    parameters = [
        parameter
        for operator in operators
        for parameter in inspect.signature(operator.__init__).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    given = {item.name: item.default for item in parameters if item.default is not item.empty}
    declared = {item.name: item.default for item in kind.declared()}
    assert {item.name for item in parameters} == declared.keys()
    assert given == {name: declared[name] for name in given}


@pytest.mark.parametrize(
    "text", ["007", "1e5", "1_000", "0x1F", "None1", "20261128", "[1]", "'quoted'", "1,000", "True"]
)
def test_a_text_in_a_native_dag_is_what_was_written(text: str) -> None:
    for written in (text, "{{ value }}"):
        assert read(native(campaign=written), value=text).campaign == text


@given(st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1).filter(lambda text: text.strip()))
@example("+15045550100")
@settings(max_examples=50, deadline=None)
def test_any_text_in_a_native_dag_is_what_was_written(text: str) -> None:
    assume(text.strip() not in {"None", "null", "undefined"} and not text.endswith(".sql"))
    sender = native(recording_id=None, voice_id="v", tts_body="{{ text }}")
    assert read(sender, text=text).tts_body.literals == (text,)


def test_a_number_in_a_native_dag_keeps_its_plus() -> None:
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        texting = SendSmsOperator(task_id="send", **{**TEXT, "sms_body": "{{ code }}"})
    arguments = read(texting, code="481516")
    assert (arguments.caller_id, arguments.sms_body.literals) == ("+15045550100", ("481516",))


def test_parameters_of_a_query_in_a_native_dag_have_their_own_types() -> None:
    source = {"contacts": None, "sql": "SELECT 1", "sql_conn_id": "warehouse", "parameters": {"least": "{{ least }}"}}
    assert read(native(**source), least=3).parameters == {"least": 3}


def test_a_notifier_in_a_native_dag_texts_the_number_that_was_written() -> None:
    notifier = DropCowboyNotifier(
        to="+15045550142", text="{{ ti }}", caller_id="+15045550100", pool_id="007", opt_in=True
    )
    with DAG("native", schedule=None, render_template_as_native_obj=True) as dag:
        pass
    context: Any = {"dag": dag, "ti": 42}
    notifier.render_template_fields(context)
    arguments = notifier._read(AlertArguments, context)
    assert (arguments.to, arguments.text, arguments.pool_id) == ("+15045550142", "42", "007")


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize(
    ("name", "written", "value", "expected"),
    [
        ("dry_run", "{{ value }}", False, False),
        ("dry_run", "{{ value }}", True, True),
        ("dry_run", "{{ value | tojson }}", True, True),
        ("limit", "{{ value }}", 7, 7),
        ("max_reject_rate", "{{ value }}", 0.5, 0.5),
        ("max_staleness", "{{ value }}d", 2, timedelta(days=2)),
        ("calling_hours", "{{ value }}", "off", "off"),
        ("phone_ivr_id", "{{ value }}", "00012", "00012"),
        ("forwarding_number", "{{ value }}", "+15045550100", "+15045550100"),
    ],
)
def test_a_template_of_any_argument_is_filled_in(
    name: str, written: str, value: object, expected: object, is_native: bool
) -> None:
    with DAG("templates", schedule=None, render_template_as_native_obj=is_native):
        sender = SendRvmOperator(task_id="send", **VOICEMAIL, **{name: written})
    assert getattr(read(sender, value=value), name) == expected


@pytest.mark.parametrize("written", [["{{ value }}"], "{{ value }} {{ value }}"])
def test_pictures_may_be_templates(written: Any) -> None:
    with DAG("templates", schedule=None):
        texting = SendSmsOperator(task_id="send", **TEXT, media_urls=written)
        wrong = SendSmsOperator(task_id="wrong", **TEXT, media_urls=written)
    assert set(read(texting, value="https://host/a.png").media_urls) == {"https://host/a.png"}
    with pytest.raises(ConfigurationError, match="media_urls is not an absolute URL"):
        read(wrong, value="a.png")


@pytest.mark.parametrize(
    "arguments",
    [{"sti_orig_id": "s"}, {"sti_orig_id": "s", "sti_attestation": "D"}, {"contact_id_column": "c", "key_column": "k"}],
)
def test_what_belongs_together_or_is_the_key_does_not_parse_otherwise(arguments: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigurationError, match=r"sti_orig_id and sti_attestation belong|sti_attestation is|key_column"
    ):
        SendRvmOperator(task_id="send", **{**VOICEMAIL, **arguments})


@pytest.mark.parametrize("name", ["dry_run", "limit", "max_reject_rate", "max_staleness"])
@pytest.mark.parametrize("value", ["maybe", "", "None"])
def test_a_template_of_something_else_is_refused(name: str, value: str) -> None:
    with DAG("templates", schedule=None):
        sender = SendRvmOperator(task_id="send", **VOICEMAIL, **{name: "{{ value }}"})
    with pytest.raises(ConfigurationError, match=f"{name} is "):
        read(sender, value=value)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (SendRvmOperator, {**VOICEMAIL, "dry_run": "yes"}),
        (SendRvmOperator, {**VOICEMAIL, "dry_run": "False"}),
        (SendRvmOperator, {**VOICEMAIL, "dry_run": 1}),
        (SendRvmOperator, {**VOICEMAIL, "dry_run": None}),
        (ExportDeliveriesOperator, {"since": "2026-11-24", "table": "t", "table_conn_id": "c", "create_table": "no"}),
        (DropCowboyDeliverySensor, {"campaign": "spring", "deferrable": "no"}),
        (DropCowboyContactListSensor, {"list_name": "leads", "deferrable": "no"}),
        (SendSmsOperator, {**TEXT, "opt_in": "yes"}),
    ],
)
def test_a_truth_value_that_is_none_does_not_parse(operator: type[BaseOperator], arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"dry_run|create_table|deferrable|opt_in"):
        operator(task_id="task", **arguments)


@pytest.mark.parametrize("value", ["", " ", "None", "null", None])
@pytest.mark.parametrize("name", ["recording_id", "brand_id", "pool_id", "campaign", "phone_ivr_id", "region", "sql"])
def test_a_template_that_renders_to_nothing_is_refused(name: str, value: object) -> None:
    written = {**VOICEMAIL, name: "{{ value if value is not none else '' }}"}
    if name == "sql":
        written |= {"contacts": None, "sql_conn_id": "warehouse"}
    with DAG("templates", schedule=None):
        sender = SendRvmOperator(task_id="send", **written)
    with pytest.raises(ConfigurationError, match=f"(?s){name}.*A template that renders to nothing"):
        read(sender, value=value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"recording_id": ""},
        {"recording_id": None, "audio_url": ""},
        {"recording_id": None, "voice_id": "", "tts_body": "Hi"},
        {"recording_id": None, "voice_id": "v", "tts_body": " "},
        {"recording_id": "None"},
    ],
)
def test_an_empty_audio_source_does_not_parse(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"is empty|is .None."):
        SendRvmOperator(task_id="send", **{**VOICEMAIL, **arguments})


@pytest.mark.parametrize("list_id", ["", ".", "..", "...", " ", "None"])
def test_a_list_id_that_is_none_does_not_parse(list_id: str) -> None:
    with pytest.raises(ConfigurationError, match="list_id"):
        SyncContactListOperator(task_id="sync", contacts=ROWS, fields={"phone": "phone"}, list_id=list_id)
    with pytest.raises(ConfigurationError, match="list_id"):
        DropCowboyContactListSensor(task_id="wait", list_id=list_id)


@pytest.mark.parametrize("name", ["callback_url", "audio_url"])
@pytest.mark.parametrize(
    "url",
    [
        "nonsense", "/hook", "//host/hook", "ftp://host/a", "https://", "https:///a", "https://user:pw@host/a",
        "https://host:99999/a", "https://host/a b", "https://[::1/a", "https://./a", "https://host/#part",
    ],
)  # fmt: skip
def test_a_url_that_is_none_does_not_parse(name: str, url: str) -> None:
    source = {"recording_id": None} if name == "audio_url" else {}
    with pytest.raises(ConfigurationError, match=name) as wrong:
        SendRvmOperator(task_id="send", **{**VOICEMAIL, **source, name: url})
    assert "pw" not in str(wrong.value)


def test_whatever_stands_for_a_later_value_parses_and_has_its_edge() -> None:
    @task
    def upstream() -> str:
        return "spring"

    @task_group
    def group(name: Any, number: Any, most: Any) -> None:
        SendRvmOperator(task_id="send", **VOICEMAIL, campaign=name, forwarding_number=number, limit=most, dry_run=most)

    with DAG("later", schedule=None) as dag:
        value = upstream()
        assert isinstance(value, XComArg)
        made = SendRvmOperator(
            task_id="resolved",
            **VOICEMAIL,
            campaign=lambda **_: "made",
            dry_run=value,
            max_staleness=value,
            limit=NOTSET,
        )
        partial = SendRvmOperator.partial(task_id="mapped", **VOICEMAIL, dry_run=value).expand(campaign=["a", "b"])
        group.expand(name=["a", "b"], number=["+15045550100"], most=[1])
    assert "upstream" in made.upstream_task_ids
    assert "upstream" in partial.upstream_task_ids
    assert "group.send" in dag.task_ids


def test_a_template_where_none_is_rendered_does_not_parse() -> None:
    with pytest.raises(ConfigurationError, match="contacts is a template"):
        SendRvmOperator(task_id="send", contacts="{{ ti.xcom_pull('rows') }}", recording_id="r")


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (SendRvmOperator, {"calling_hour": "off"}, "SendRvmOperator has no argument calling_hour. Did you mean"),
        (SendRvmOperator, {"retires": 3}, "Did you mean retries"),
        (SendSmsOperator, {"smsbody": "Hi"}, "Did you mean sms_body"),
        (SyncContactListOperator, {"list_nam": "a"}, "Did you mean list_name"),
        (ExportDeliveriesOperator, {"tabel": "a"}, "Did you mean table"),
        (DropCowboyDeliverySensor, {"campaign": "a", "min_final_shares": 1}, "Did you mean min_final_share"),
        (DropCowboyContactListSensor, {"list_names": "a"}, "Did you mean list_name"),
    ],
)
def test_a_misspelt_argument_does_not_parse_and_names_the_one_that_was_meant(
    kind: type[BaseOperator], arguments: dict[str, Any], said: str
) -> None:
    if kind is SyncContactListOperator:
        arguments = {**arguments, "fields": {"phone": "phone"}}
    with pytest.raises(ConfigurationError, match=said):
        kind(task_id="task", **arguments)


def test_a_misspelt_argument_of_a_mapped_task_or_a_notifier_does_not_parse() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean calling_hours"):
        SendRvmOperator.partial(task_id="send", calling_hour="off")
    with DAG("mapped"), pytest.raises(ConfigurationError, match="Did you mean contacts"):
        SendRvmOperator.partial(task_id="send", recording_id="r").expand(contcts=[[]])
    with pytest.raises(ConfigurationError, match="Did you mean text"):
        DropCowboyNotifier(to="+15045550142", txt="Help", caller_id="+15045550100", opt_in=True)


@pytest.mark.parametrize(
    "campaign",
    [
        "{{ ti.try_number }}",
        "spring {{ task_instance['try_number'] }}",
        "{% if ti.try_number > 1 %}again{% else %}first{% endif %}",
        "{{ macros.datetime.now() }}",
        "{{ macros.uuid.uuid4() }}",
        "{{ ti.start_date }}",
        "{{ dag_run.queued_at }}",
        "{{ ti.log_url }}",
    ],
)
def test_a_campaign_that_is_another_one_in_each_try_does_not_parse(campaign: str) -> None:
    with pytest.raises(ConfigurationError, match="would contact everybody again"):
        SendRvmOperator(task_id="send", **VOICEMAIL, campaign=campaign)
    with pytest.raises(ConfigurationError, match="would contact everybody again"):
        SendRvmOperator.partial(task_id="send", campaign=campaign)


@pytest.mark.parametrize(
    "campaign", ["try_number now()", "{{ ds }} {{ run_id }}", "{{ params.choice }} {{ ts_nodash }}"]
)
def test_a_campaign_that_stays_the_same_parses(campaign: str) -> None:
    SendRvmOperator(task_id="send", **VOICEMAIL, campaign=campaign)
