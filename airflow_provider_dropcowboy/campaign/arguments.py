"""What a task's arguments must be, checked when the DAG is parsed and again when every value is known."""

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Final

from airflow_provider_dropcowboy.api.messages import MAX_SMS_CHARACTERS, Channel
from airflow_provider_dropcowboy.campaign.identity import check_campaign_name
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.suppression import check_suppression_arguments
from airflow_provider_dropcowboy.contacts.text import Template
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.lease import DOUBT_LASTS

MAX_CONCURRENCY: Final = 99  # API v1: keep concurrent requests under 100


_CHOICES: Final = {
    "message_kind": ("marketing", "informational"),
    "calling_hours": ("state", "federal", "off"),
    "on_held": ("wait", "leave"),
    "on_unknown": ("hold", "resend"),
}


class Later(Enum):
    """A value that is known only when the task starts: a template, an upstream task's result."""

    LATER = "later"


LATER: Final = Later.LATER

Arguments = Mapping[str, object]


def check_arguments(channel: Channel, arguments: Arguments) -> None:
    """Nothing, if what is known of the arguments can be right.

    :param arguments: by name; None: not given; ``LATER``: not known yet.
    :raises ConfigurationError: names the argument and says what to write; nothing was sent.
    """
    _check_source(arguments)
    if channel is Channel.RVM:
        _check_audio(arguments)
    else:
        _check_text(arguments)
    for name in ("forwarding_number", "caller_id"):
        check_number(name, arguments.get(name))
    for name in ("tts_body", "sms_body"):
        if isinstance(text := arguments.get(name), str):
            _parse(name, text)
    for name in ("key_column", "phone_column", "postal_code_column", "opt_in_column"):
        if arguments.get(name) == "":
            raise _wrong(name, "is empty", "Name the column, or leave the argument out.")
    if isinstance(region := arguments.get("region"), str) and not re.fullmatch(r"[A-Z]{2}", region):
        raise _wrong("region", f"{region!r} is no country", "Write it in two capital letters, like US.")
    if isinstance(partition := arguments.get("partition"), str):
        Partition.parse(partition)
    if isinstance(campaign := arguments.get("campaign"), str):
        check_campaign_name(campaign)
    concurrency = arguments.get("concurrency")
    if isinstance(concurrency, bool) or not isinstance(concurrency, (int, Later)):
        raise _wrong("concurrency", f"{concurrency!r} is no whole number", "Write one.")
    if isinstance(concurrency, int) and not 1 <= concurrency <= MAX_CONCURRENCY:
        raise _wrong("concurrency", f"is {concurrency}", f"The vendor takes 1 to {MAX_CONCURRENCY} requests at once.")
    rate_per_s = arguments.get("rate_per_s")
    if not isinstance(rate_per_s, (int, float, Later, NoneType)) or (
        isinstance(rate_per_s, (int, float)) and rate_per_s <= 0
    ):
        raise _wrong("rate_per_s", f"is {rate_per_s!r}", "Write requests a second, above 0, or leave it out.")
    _check_doubt(arguments)
    _check_limits(arguments)
    for name, values in _CHOICES.items():
        if arguments.get(name) not in (None, LATER, *values):
            raise _wrong(name, f"is {arguments[name]!r}", f"Write one of {', '.join(values)}.")


def check_number(name: str, number: object) -> None:
    """Nothing, if the argument is not given, not known yet, or a number in E.164.

    :raises ConfigurationError: it is none; the text names the argument and not its value.
    """
    if number is None or number is LATER:
        return
    if not isinstance(number, str) or not re.fullmatch(r"\+[1-9]\d{6,14}", number):
        raise _wrong(name, "is no number in E.164", "Write + and all digits from the country code on: +15045550100.")


def _check_doubt(arguments: Arguments) -> None:
    for name in ("resend_after", "max_staleness", "attempts_window", "repeat_window", "wave_deadline"):
        if not isinstance(arguments.get(name), (timedelta, Later, NoneType)):
            raise _wrong(name, "is no timedelta", "Write it like timedelta(days=2).")
    resend_after = arguments.get("resend_after")
    if arguments.get("on_unknown") == "resend" and isinstance(resend_after, timedelta) and resend_after < DOUBT_LASTS:
        raise _wrong(
            "resend_after",
            f"is {resend_after}: too soon, a request may be carried out until {DOUBT_LASTS} after its claim",
            "Give it more, such as timedelta(days=2).",
        )


def _check_limits(arguments: Arguments) -> None:
    if arguments.get("suppression_sql") is not None and not arguments.get("suppression_conn_id"):
        raise _wrong("suppression_conn_id", "is missing", "Name the Airflow connection that suppression_sql is run on.")
    check_suppression_arguments(arguments.get("suppression_column"), arguments.get("max_unreadable_suppressions", 0))
    for name in ("max_attempts", "limit"):
        count = arguments.get(name)
        if (
            isinstance(count, bool)
            or not isinstance(count, (int, Later, NoneType))
            or (isinstance(count, int) and count < 1)
        ):
            raise _wrong(name, f"is {count!r}", "Write a whole number above 0, or None for no limit.")
    for name in ("max_reject_rate", "max_unknown_rate"):
        rate = arguments.get(name)
        is_rate = isinstance(rate, (int, float)) and not isinstance(rate, bool) and 0 <= rate <= 1
        if not is_rate and not isinstance(rate, (Later, NoneType)):
            raise _wrong(name, f"is {rate!r}", "Write a share from 0 to 1, such as 0.2, or None to switch it off.")
    budget = arguments.get("budget_usd")
    is_amount = isinstance(budget, (int, float, Decimal)) and not isinstance(budget, bool) and budget > 0
    if not is_amount and not isinstance(budget, (Later, NoneType)):
        raise _wrong("budget_usd", f"is {budget!r}", "Write an amount in US dollars above 0.")


def _check_source(arguments: Arguments) -> None:
    sources = _given(arguments, "sql", "contacts", "path")
    if len(sources) != 1:
        raise ConfigurationError(
            f"Give exactly one of sql, contacts and path; given: {_names(sources)}. Nothing was sent."
        )
    if sources == ["sql"] and not arguments.get("sql_conn_id"):
        raise _wrong("sql_conn_id", "is missing", "Name the Airflow connection that sql is run on.")
    if sources != ["sql"]:
        for name in _given(arguments, "sql_conn_id", "parameters", "sql_hook_params"):
            raise _wrong(name, "is given without sql", "Leave it out, or give sql.")


def _check_audio(arguments: Arguments) -> None:
    given = _given(arguments, "recording_id", "tts_body", "audio_url")
    if len(given) != 1:
        raise ConfigurationError(
            "Give exactly one audio source: recording_id, or voice_id with tts_body, or audio_url; "
            f"given: {_names(given)}. Nothing was sent."
        )
    if ("voice_id" in _given(arguments, "voice_id")) != (given == ["tts_body"]):
        raise _wrong("voice_id", "and tts_body belong together", "Give both, or another audio source.")
    audio_type = arguments.get("audio_type")
    if audio_type is not None and given != ["audio_url"]:
        raise _wrong("audio_type", "is given without audio_url", "Leave it out.")
    if audio_type not in (None, "mp3", "wav", LATER):
        raise _wrong("audio_type", f"is {audio_type!r}", "The vendor takes mp3 and wav.")


def _check_text(arguments: Arguments) -> None:
    text = arguments.get("sms_body")
    if text is None or text == "":
        raise _wrong("sms_body", "is missing", "Write the text; {column} takes a value of the row.")
    if isinstance(text, str):
        template = _parse("sms_body", text)
        shortest = sum(map(len, template.literals))
        if shortest > MAX_SMS_CHARACTERS:
            raise _wrong(
                "sms_body",
                f"has {shortest} characters without the row's values",
                f"The vendor takes {MAX_SMS_CHARACTERS}.",
            )
    if arguments.get("caller_id") is None:
        raise _wrong("caller_id", "is missing", "Write the number that texts are sent from, such as +15045550100.")
    if arguments.get("opt_in") not in (True, None, LATER):
        raise _wrong("opt_in", "is not True", "Write True if all consented, or name the column that says so.")
    if len(_given(arguments, "opt_in", "opt_in_column")) != 1:
        raise ConfigurationError(
            "A text goes only to people who opted in: give exactly one of opt_in=True (all of them did) and "
            "opt_in_column (the column that says who did). Nothing was sent."
        )


def _parse(name: str, text: str) -> Template:
    try:
        return Template.parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _given(arguments: Arguments, *names: str) -> list[str]:
    return [name for name in names if arguments.get(name) is not None]


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _wrong(name: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{name} {what}. Nothing was sent. {remedy}")
