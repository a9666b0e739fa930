"""Wrong arguments are named when the DAG is parsed; what is not known yet is not judged."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.arguments import LATER, NOTHING
from airflow_provider_dropcowboy.campaign.arguments import SendArguments
from airflow_provider_dropcowboy.campaign.channels import RvmArguments, SmsArguments
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.secret import Secret

RVM: dict[str, object] = {
    "contacts": [{"id": 1}],
    "recording_id": "r",
}
SMS: dict[str, object] = {
    "sql": "SELECT 1",
    "sql_conn_id": "warehouse",
    "sms_body": "Hi {name}",
    "caller_id": "+15045550100",
    "opt_in": True,
}


def check(kind: type[SendArguments], given: dict[str, object], changes: dict[str, object]) -> None:
    kind.check({**given, **changes})


RIGHT_RVM: list[dict[str, object]] = [
    {},
    {"contacts": None, "path": "s3://bucket/due.csv"},
    {"contacts": None, "sql": "SELECT 1", "sql_conn_id": "warehouse", "parameters": {"a": 1}},
    {"contacts": []},
    {"recording_id": None, "voice_id": "v", "tts_body": "Hi {name}, {{braces}}"},
    {"recording_id": None, "audio_url": "https://host/a.mp3", "audio_type": "mp3"},
    {"forwarding_number": "+15045550100"},
    {"partition": "3/8", "campaign": "spring"},
    {"concurrency": 1},
    {"concurrency": 99},
    {"on_unknown": "resend", "resend_after": timedelta(days=2)},
    {"on_unknown": "hold", "max_staleness": timedelta(days=1)},
    {"rate_per_s": 0.5},
    {
        "contacts": LATER, "recording_id": LATER, "forwarding_number": LATER, "partition": LATER, "campaign": LATER,
        "concurrency": LATER, "region": LATER, "on_unknown": LATER, "resend_after": LATER, "rate_per_s": LATER,
    },
    {"suppression_sql": "SELECT 1", "suppression_conn_id": "warehouse"},
    {"message_kind": "informational", "calling_hours": "off", "on_held": "leave", "wave_deadline": timedelta(hours=1)},
    {"max_attempts": 1, "attempts_window": timedelta(days=1), "repeat_window": timedelta(hours=1), "limit": 1},
    {"max_reject_rate": 0, "max_unknown_rate": 1, "budget_usd": Decimal("0.01")},
    {"budget_usd": 12, "max_reject_rate": LATER, "max_attempts": LATER, "limit": LATER, "calling_hours": LATER},
    {"recording_id": None, "audio_url": LATER, "audio_type": LATER},
    {"recording_id": None, "voice_id": LATER, "tts_body": LATER},
    {"contact_id_column": "vendor_id", "sti_orig_id": "s", "sti_attestation": "C", "caller_id": "+15045550100"},
    {"contact_id_column": "vendor_id", "key_column": "vendor_id"},
    {"contact_id_column": LATER, "key_column": "id"},
]  # fmt: skip

RIGHT_SMS: list[dict[str, object]] = [
    {},
    {"opt_in": None, "opt_in_column": "consented"},
    {"sms_body": "x" * 160},
    {"sms_body": LATER, "caller_id": LATER, "sql": LATER, "sql_conn_id": LATER},
    {"opt_in": LATER},
    {"media_urls": ["https://host/a.png"], "media_ids": "m1 m2"},
    {"media_urls": LATER},
]


@pytest.mark.parametrize("changes", RIGHT_RVM)
def test_right_arguments_of_a_voicemail_are_taken(changes: dict[str, object]) -> None:
    check(RvmArguments, RVM, changes)


@pytest.mark.parametrize("changes", RIGHT_SMS)
def test_right_arguments_of_a_text_are_taken(changes: dict[str, object]) -> None:
    check(SmsArguments, SMS, changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"contacts": None}, "sql, contacts and path; given: none"),
        ({"path": "due.csv"}, "given: contacts, path"),
        ({"contacts": None, "sql": "SELECT 1"}, "sql_conn_id is missing"),
        ({"sql_conn_id": "warehouse"}, "sql_conn_id is given without sql"),
        ({"parameters": {"a": 1}}, "parameters is given without sql"),
        ({"sql_hook_params": {"a": 1}}, "sql_hook_params is given without sql"),
        ({"recording_id": None}, "given: none"),
        ({"audio_url": "https://host/a.mp3"}, "given: recording_id, audio_url"),
        ({"voice_id": "v"}, "voice_id and tts_body belong together"),
        ({"recording_id": None, "tts_body": "Hi"}, "voice_id and tts_body belong together"),
        ({"audio_type": "mp3"}, "audio_type is given without audio_url"),
        ({"recording_id": None, "audio_url": "https://host/a", "audio_type": "ogg"}, "audio_type is 'ogg'"),
        ({"recording_id": None, "audio_url": "https://host/a", "audio_type": ["mp3"]}, "audio_type"),
        ({"recording_id": None, "voice_id": "v", "tts_body": "Hi {"}, "tts_body: "),
        ({"recording_id": None, "voice_id": "v", "tts_body": "Hi {a.b}"}, "tts_body: "),
        ({"forwarding_number": "504-555-0100"}, "forwarding_number is not in E.164 format"),
        ({"forwarding_number": "+1५०४५५५०१००"}, "forwarding_number is not in E.164 format"),
        ({"forwarding_number": 15045550100.0}, "forwarding_number is of type float"),
        ({"key_column": ""}, "key_column is empty"),
        ({"phone_column": ""}, "phone_column is empty"),
        ({"postal_code_column": ""}, "postal_code_column is empty"),
        ({"opt_in_column": ""}, "opt_in_column is empty"),
        ({"consent_column": " "}, "consent_column is empty"),
        ({"region": "us"}, "region 'us'"),
        ({"partition": "9/8"}, "partition 9/8"),
        ({"partition": "3 of 8"}, "partition='3 of 8'"),
        ({"campaign": " "}, "campaign=''"),
        ({"campaign": "None"}, "campaign='None'"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 100}, "concurrency is 100"),
        ({"concurrency": "50"}, "concurrency is '50'"),
        ({"concurrency": True}, "concurrency is True"),
        ({"rate_per_s": 0}, "rate_per_s is 0"),
        ({"rate_per_s": "fast"}, "rate_per_s is 'fast'"),
        ({"on_unknown": "retry"}, "on_unknown is 'retry'"),
        ({"on_unknown": ["hold"]}, "on_unknown"),
        ({"resend_after": 2}, "resend_after is not a timedelta"),
        ({"max_staleness": "1d"}, "max_staleness is '1d'"),
        ({"on_unknown": "resend", "resend_after": timedelta(minutes=74)}, "resend_after is 1:14:00: too soon"),
        ({"suppression_sql": "SELECT 1"}, "suppression_conn_id is missing"),
        ({"message_kind": "sales"}, "message_kind is 'sales'"),
        ({"on_held": "stop"}, "on_held is 'stop'"),
        ({"calling_hours": None}, "calling_hours is None"),
        ({"calling_hours": "none"}, "calling_hours is 'none'"),
        ({"wave_deadline": 24}, "wave_deadline is not a timedelta"),
        ({"attempts_window": 3}, "attempts_window is not a timedelta"),
        ({"repeat_window": 20}, "repeat_window is not a timedelta"),
        ({"max_attempts": 0}, "max_attempts is 0"),
        ({"max_attempts": True}, "max_attempts is True"),
        ({"limit": -1}, "limit is -1"),
        ({"limit": 2.5}, "limit is 2.5"),
        ({"max_reject_rate": 20}, "max_reject_rate is 20"),
        ({"max_unknown_rate": -0.1}, "max_unknown_rate is -0.1"),
        ({"max_unknown_rate": True}, "max_unknown_rate is True"),
        ({"budget_usd": 0}, "budget_usd is 0"),
        ({"budget_usd": "10"}, "budget_usd is '10'"),
    ],
)
def test_a_wrong_argument_of_a_voicemail_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        check(RvmArguments, RVM, changes)
    assert named in str(wrong.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sms_body": None}, "sms_body is missing"),
        ({"sms_body": ""}, "sms_body is empty"),
        ({"sms_body": "x" * 1_601}, "sms_body has 1601 characters without the row's values"),
        ({"body": "Hi"}, "sms_body and body are two words for one thing"),
        ({"sms_body": "Hi {}"}, "sms_body: "),
        ({"caller_id": "5045550100"}, "caller_id is not in E.164 format"),
        ({"opt_in": None}, "opt_in"),
        ({"opt_in": False}, "opt_in is not True"),
        ({"opt_in": "yes"}, "opt_in is 'yes'"),
        ({"opt_in": [True]}, "opt_in is [True]"),
        ({"opt_in_column": "consented"}, "exactly one of opt_in=True"),
    ],
)
def test_a_wrong_argument_of_a_text_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        check(SmsArguments, SMS, changes)
    assert named in str(wrong.value)


def test_no_message_repeats_a_number() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        check(SmsArguments, SMS, {"caller_id": "1 504 555 0100"})
    assert "504 555" not in str(wrong.value)


SETTINGS = ConnectionSettings(
    account=Account("team", Secret("secret"), "https://localhost/v1"),
    callback_url="https://hooks.example.com",
    callback_secret=Secret("signs-all-callbacks"),
    default_brand_id="b",
    default_pool_id="p",
)


def plan(settings: ConnectionSettings = SETTINGS, **changes: object) -> Plan:
    arguments = RvmArguments.read({**RVM, "campaign": "spring", **changes})
    return arguments.plan(settings, hours=None, who=Who())


def test_an_own_callback_url_goes_out_as_it_is() -> None:
    own = plan(callback_url="https://my.example/hook?x=1")
    assert (own.callback_url, own.callback_secret) == ("https://my.example/hook?x=1", None)
    assert plan().callback_secret == SETTINGS.callback_secret


def test_the_connections_callback_url_is_not_sent_unsigned_by_a_task() -> None:
    with pytest.raises(ConfigurationError, match="callback_url is the connection's own"):
        plan(callback_url="https://hooks.example.com/")


@pytest.mark.parametrize(("given", "expected"), [(None, "p"), ("", None), ("q", "q")])
def test_an_empty_pool_means_none(given: str | None, expected: str | None) -> None:
    template = plan(pool_id=given).template
    assert template.pool_id == expected


def test_an_empty_rendering_of_a_pool_is_no_pool_that_was_left_out() -> None:
    with pytest.raises(ConfigurationError, match="pool_id is empty"):
        plan(pool_id=NOTHING)


@pytest.mark.parametrize("number", ["+1234567", "+19995550100"])
def test_a_forwarding_number_that_cannot_exist_is_refused(number: str) -> None:
    with pytest.raises(ConfigurationError, match="forwarding_number") as wrong:
        plan(forwarding_number=number)
    assert number[2:] not in str(wrong.value)


def test_a_whole_number_is_the_text_of_it() -> None:
    numbered = plan(campaign=20261128, forwarding_number=15045550100)
    assert numbered.campaign == "20261128"
    assert isinstance(numbered.template, RvmTemplate)
    assert numbered.template.forwarding_number == "+15045550100"


def test_arguments_print_without_their_values() -> None:
    assert "5045550100" not in repr(SmsArguments.read({**SMS, "campaign": "spring"}))


V2 = replace(SETTINGS, account=Account("key", Secret("secret"), "https://localhost", api_version="v2"))


@pytest.mark.parametrize(
    ("settings", "kind", "given", "named"),
    [
        (SETTINGS, SmsArguments, {**SMS, "sms_body": "x" * 161}, "sms_body has 161 characters"),
        (SETTINGS, SmsArguments, {**SMS, "caller_id": None}, "A text needs a caller_id."),
        (replace(SETTINGS, default_brand_id=None), RvmArguments, RVM, "A voicemail needs a brand_id."),
        (V2, SmsArguments, SMS, "caller_id is unknown to this version of the API. Give phone_line_id"),
        (V2, RvmArguments, {**RVM, "forwarding_number": "+15045550100"}, "forwarding_number is unknown"),
        (V2, RvmArguments, {**RVM, "phone_ivr_id": "i"}, "phone_ivr_id is unknown"),
        (
            SETTINGS,
            RvmArguments,
            {**RVM, "contact_id_column": "c"},
            "contact_id_column is unknown",
        ),
        (SETTINGS, RvmArguments, {**RVM, "caller_id": "+15045550100"}, "caller_id is unknown to this version"),
        (SETTINGS, RvmArguments, {**RVM, "sti_orig_id": "s", "sti_attestation": "A"}, "sti_orig_id is unknown"),
        (SETTINGS, SmsArguments, {**SMS, "contact_id_column": "c"}, "contact_id_column is unknown"),
        (SETTINGS, SmsArguments, {**SMS, "media_urls": ["https://host/a.png"]}, "media_urls is unknown"),
        (SETTINGS, SmsArguments, {**SMS, "media_ids": "a b"}, "media_ids is unknown"),
    ],
)
def test_what_a_version_of_the_api_does_not_know_or_needs_is_named_when_the_task_starts(
    settings: ConnectionSettings, kind: type[SendArguments], given: dict[str, object], named: str
) -> None:
    arguments = kind.read({**given, "campaign": "spring"})
    with pytest.raises(ConfigurationError) as wrong:
        arguments.template(settings)
    assert named in str(wrong.value)


@pytest.mark.parametrize("settings", [SETTINGS, V2], ids=["v1", "v2"])
def test_the_words_of_either_version_are_understood_by_both(settings: ConnectionSettings) -> None:
    of_v1 = RvmArguments.read({"contacts": [], "recording_id": "m", "pool_id": "l"}).template(settings)
    of_v2 = RvmArguments.read({"contacts": [], "media_id": "m", "phone_line_id": "l"}).template(settings)
    assert (of_v2.recording_id, of_v2.pool_id) == (of_v1.recording_id, of_v1.pool_id) == ("m", "l")
