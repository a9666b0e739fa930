"""``dropcowboy send rvm`` and ``dropcowboy send sms``: options drawn from the arguments, and a file that is sent to."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.campaign.channels import RvmArguments, SmsArguments
from airflow_provider_dropcowboy.cli.options import DrawnOptions, open_suppression, rows_of
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.summary import Summary

_OPTIONS: Final = DrawnOptions(
    RvmArguments,
    SmsArguments,
    # for which a person's schedule stands
    without={"on_held", "wave_deadline", "max_staleness", "on_unknown", "resend_after"},
)
_OTHERS: Final = (
    click.option("--no-cap", is_flag=True, help="Send no matter how often a number was contacted."),
    click.option(
        "--rows-output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.jsonl",
        help="With --dry-run: write each row, its state and its reason to this file. It holds phone numbers.",
    ),
)


@click.group()
def send() -> None:
    """Send a voicemail or text to each contact, once.

    Contacts come from a file. Running the same command again sends only what was not sent yet, however the first run
    ended.
    """


@send.command()
@_OPTIONS.of(RvmArguments, *_OTHERS)
def rvm(**options: object) -> None:
    """Send a ringless voicemail to each contact, once.

    \b
    Examples:
      dropcowboy send rvm --contacts due.csv --campaign spring --key-column id \\
          --recording-id a0000000-0000-4000-8000-000000000001 --dry-run
      dropcowboy send rvm --contacts due.csv --campaign spring-tts \\
          --voice-id en-1 --tts-body 'Hello {first_name}, your order is here.'
    """
    _send(RvmArguments, options)


@send.command()
@_OPTIONS.of(SmsArguments, *_OTHERS)
def sms(**options: object) -> None:
    """Send a text to each contact who opted in, once.

    \b
    Example:
      dropcowboy send sms --contacts due.csv --campaign spring-texts \\
          --caller-id +15045550100 --opt-in-column consented \\
          --sms-body 'Hi {first_name}, your order is here.'
    """
    _send(SmsArguments, options)


def _send(kind: type[RvmArguments | SmsArguments], options: Mapping[str, Any]) -> None:
    """Each contact of the file was sent to, once, and the counts are on stdout, also if some were not."""
    from airflow_provider_dropcowboy.campaign.control import Control, Order
    from airflow_provider_dropcowboy.campaign.plan import GRACE_S
    from airflow_provider_dropcowboy.campaign.preview import preview_campaign
    from airflow_provider_dropcowboy.campaign.run import run_campaign
    from airflow_provider_dropcowboy.cli.connection import check_reached, ledger_url_of, load_hours, load_settings
    from airflow_provider_dropcowboy.cli.runs import (
        rows_written,
        show_summary,
        stopping_on_signals,
        watching_on_terminal,
    )
    from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger
    from airflow_provider_dropcowboy.ledger.runs import Who

    contacts, suppression, rows_output = options["contacts"], options["suppression"], options["rows_output"]
    if rows_output is not None and not options["dry_run"]:
        raise ConfigurationError("--rows-output belongs to --dry-run; `dropcowboy export` gives what was sent.")
    with _OPTIONS.words():
        arguments = kind.read(_given(options))
        settings = load_settings(options["conn"])
        hours = load_hours(arguments.calling_hours, channel=kind.channel.value, message_kind=arguments.message_kind)
        plan = arguments.plan(settings, hours=hours, who=Who(task_id=f"dropcowboy send {kind.channel}"))
    url = ledger_url_of(settings)

    def tell(summary: "Summary") -> None:
        if summary.read or options["as_json"]:
            show_summary(summary, kind.channel, as_json=options["as_json"])

    with ExitStack() as files:
        rows = files.enter_context(rows_of("--contacts", contacts, columns=plan.source_columns))
        suppressed = open_suppression(files, suppression, arguments)
        if plan.is_dry_run:
            with rows_written(rows_output, plan) as observe:
                summary = preview_campaign(plan, find_ledger(url), rows=rows, suppressed=suppressed, observe=observe)
            show_summary(summary, kind.channel, as_json=options["as_json"])
            return
        check_reached(settings)
        ledger = open_ledger(url, may_create=True)
        control = Control()
        with (
            stopping_on_signals(lambda reason: control.stop(Order(reason, grace_s=GRACE_S))),
            watching_on_terminal(plan.campaign, partial(_count_rows, contacts, plan.source_columns)) as watch,
        ):
            run_campaign(plan, ledger, rows=rows, control=control, suppressed=suppressed, tell=tell, watch=watch)


def _given(options: Mapping[str, Any]) -> dict[str, object]:
    """The arguments that the options stand for."""
    given = {name: None if value == "off" and name == "repeat_window" else value for name, value in options.items()}
    given |= {
        "suppression_column": options["suppression_column"] or None,
        "contacts": None,
        "path": str(options["contacts"]),
        "on_held": "leave",
    }
    return given | {"max_attempts": None} if options["no_cap"] else given


def _count_rows(path: Path, columns: Collection[str]) -> int | None:
    """By reading the file once more, which takes seconds where sending takes an hour; None: it is a pipe."""
    if not path.is_file():  # what is counted would be gone
        return None
    with rows_of("--contacts", path, columns=columns) as rows:
        return sum(1 for _ in rows)
