"""From the options of ``dropcowboy send`` to a run, and from its end to an answer."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.messages import Channel
from airflow_provider_dropcowboy.campaign.arguments import check_arguments
from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.judge import Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.cli.bar import watching_on_terminal
from airflow_provider_dropcowboy.cli.connection import ledger_place, load_hours, load_settings
from airflow_provider_dropcowboy.cli.interrupts import stopping_on_signals
from airflow_provider_dropcowboy.cli.judged_rows import rows_written
from airflow_provider_dropcowboy.cli.summaries import show_summary
from airflow_provider_dropcowboy.cli.vendor import check_reached
from airflow_provider_dropcowboy.contacts.files import read_rows
from airflow_provider_dropcowboy.contacts.mapping import ContactColumns
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.contacts.text import Template
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.runs import Who

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """The options of both commands, by the names of the operators' arguments; None: not given."""

    channel: Channel
    conn: str
    contacts: Path
    campaign: str
    phone_column: str
    region: str
    concurrency: int
    calling_hours: str
    message_kind: str
    max_attempts: int
    attempts_window: timedelta
    no_cap: bool
    repeat_window: timedelta | None
    max_reject_rate: float
    max_unknown_rate: float
    is_dry_run: bool
    as_json: bool
    rate_per_s: float | None = None
    suppression: Path | None = None
    suppression_column: tuple[str, ...] = ()
    max_unreadable_suppressions: float = 0
    limit: int | None = None
    budget_usd: float | None = None
    rows_output: Path | None = None
    key_column: str | None = None
    postal_code_column: str | None = None
    partition: str | None = None
    pool_id: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    brand_id: str | None = None
    recording_id: str | None = None
    voice_id: str | None = None
    tts_body: str | None = field(default=None, repr=False)
    audio_url: str | None = field(default=None, repr=False)
    audio_type: str | None = None
    forwarding_number: str | None = field(default=None, repr=False)
    phone_ivr_id: str | None = None
    sms_body: str | None = field(default=None, repr=False)
    caller_id: str | None = field(default=None, repr=False)
    opt_in: bool | None = None
    opt_in_column: str | None = None


def send_file(options: SendOptions) -> None:
    """Each contact of the file was asked for, once, and the counts are on stdout, also if some were not taken."""
    _check(options)
    settings = load_settings(options.conn)
    plan = _plan(options, settings)
    place = ledger_place(settings)
    with ExitStack() as files:
        rows = files.enter_context(_rows_of("--contacts", options.contacts))
        suppressed = None
        if options.suppression is not None:
            suppressed = SuppressionList(
                files.enter_context(_rows_of("--suppression", options.suppression)),
                columns=options.suppression_column or None,
                max_unreadable=options.max_unreadable_suppressions,
                region=options.region,
                column_argument="--suppression-column",
                limit_argument="--max-unreadable-suppressions",
            )
        if plan.is_dry_run:
            with rows_written(options.rows_output, plan) as observe:
                summary = preview_campaign(plan, find_ledger(place), rows=rows, suppressed=suppressed, observe=observe)
            show_summary(summary, options.channel, as_json=options.as_json)
            return
        check_reached(settings)
        ledger = open_ledger(place, may_create=True)
        control = Control()

        def tell(summary: Summary) -> None:
            if summary.read:
                show_summary(summary, options.channel, as_json=options.as_json)

        count_rows = partial(_count_rows, options.contacts)
        with stopping_on_signals(control), watching_on_terminal(options.campaign, count_rows) as watch:
            run_campaign(plan, ledger, rows=rows, control=control, suppressed=suppressed, tell=tell, watch=watch)


@contextmanager
def _rows_of(option: str, path: Path) -> Iterator[Rows]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{option}: {path.name} cannot be opened: {error.strerror}.") from None
    with file:
        yield read_rows(file, path.name)


def _count_rows(path: Path) -> int | None:
    """By reading the file once more, which takes seconds where sending takes an hour; None: it is a pipe."""
    if not path.is_file():  # what is counted would be gone
        return None
    with _rows_of("--contacts", path) as rows:
        return sum(1 for _ in rows)


def _check(options: SendOptions) -> None:
    if options.rows_output is not None and not options.is_dry_run:
        raise ConfigurationError("--rows-output belongs to --dry-run; `dropcowboy export` gives what was sent.")
    arguments = {item.name: getattr(options, item.name) for item in fields(options)}
    try:
        columns = options.suppression_column or None
        given = {"contacts": None, "path": str(options.contacts), "suppression_column": columns}
        check_arguments(options.channel, arguments | given)
    except ConfigurationError as error:
        wrong = _in_options(str(error))
    else:
        return
    raise ConfigurationError(wrong)


def _plan(options: SendOptions, settings: "ConnectionSettings") -> Plan:
    price_usd = settings.price_rvm_usd if options.channel is Channel.RVM else settings.price_sms_usd
    return Plan(
        account=settings.account,
        campaign=options.campaign,
        template=_rvm(options, settings) if options.channel is Channel.RVM else _sms(options, settings),
        columns=ContactColumns(
            key_column=options.key_column,
            phone_column=options.phone_column,
            postal_code_column=options.postal_code_column,
            region=options.region,
        ),
        partition=None if options.partition is None else Partition.parse(options.partition),
        opt_in_column=options.opt_in_column,
        callback_url=options.callback_url or settings.callback_url,
        callback_secret=settings.callback_secret,
        concurrency=options.concurrency,
        rate_per_s=options.rate_per_s,
        max_concurrency=settings.max_concurrency,
        timeout_s=settings.timeout_s,
        verify=settings.verify,
        claim_rules=ClaimRules(
            repeat_window=options.repeat_window,
            limit=options.limit,
            budget_micros=_micros(options.budget_usd),
            price_micros=_micros(price_usd),
        ),
        caps=() if options.no_cap else ((options.max_attempts, options.attempts_window),),
        max_reject_rate=options.max_reject_rate,
        max_unknown_rate=options.max_unknown_rate,
        hours=load_hours(options.calling_hours, channel=options.channel.value, message_kind=options.message_kind),
        is_dry_run=options.is_dry_run,
        who=Who(task_id=f"dropcowboy send {options.channel}"),
    )


def _micros(amount_usd: float | Decimal | None) -> int | None:
    return None if amount_usd is None else int(Decimal(str(amount_usd)) * 1_000_000)


def _rvm(options: SendOptions, settings: "ConnectionSettings") -> RvmTemplate:
    brand_id = options.brand_id or settings.default_brand_id
    if not brand_id:
        raise ConfigurationError(
            "--brand-id is missing, and the connection has no default_brand_id. Nothing was sent. "
            "`dropcowboy brands` lists those of the account."
        )
    return RvmTemplate(
        brand_id=brand_id,
        recording_id=options.recording_id,
        voice_id=options.voice_id,
        tts_body=None if options.tts_body is None else Template.parse(options.tts_body),
        audio_url=options.audio_url,
        audio_type=options.audio_type,
        forwarding_number=options.forwarding_number,
        phone_ivr_id=options.phone_ivr_id,
        pool_id=options.pool_id or settings.default_pool_id,
        byoc=settings.byoc,
    )


def _sms(options: SendOptions, settings: "ConnectionSettings") -> SmsTemplate:
    pool_id = options.pool_id or settings.default_pool_id
    if not pool_id:
        raise ConfigurationError(
            "--pool-id is missing, and the connection has no default_pool_id. Nothing was sent. "
            "`dropcowboy pools` lists those of the account."
        )
    assert options.sms_body is not None
    assert options.caller_id is not None
    return SmsTemplate(caller_id=options.caller_id, pool_id=pool_id, sms_body=Template.parse(options.sms_body))


def _in_options(text: str) -> str:
    """A message about arguments, in the words of the command line: ``--tts-body`` for ``tts_body``."""
    return _ARGUMENT.sub(lambda match: "--" + match[0].replace("_", "-"), text.replace("opt_in=True", "opt_in"))


_ARGUMENT: Final = re.compile(
    rf"\b(?:{'|'.join(item.name for item in fields(SendOptions) if '_' in item.name)})\b"
    r"|^(?:campaign|concurrency|partition|region)\b"
)
