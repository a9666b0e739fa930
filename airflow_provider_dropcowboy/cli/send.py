"""``dropcowboy send rvm`` and ``dropcowboy send sms``: what can be said, and in which words."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from airflow_provider_dropcowboy.cli.options import conn_option, json_option, read_allowance
from airflow_provider_dropcowboy.cli.times import read_duration, read_window

MAX_CONCURRENCY: Final = 99  # API v1: keep concurrent requests under 100

Function = Callable[..., None]

_WHO: Final = (
    click.option(
        "--contacts",
        required=True,
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        help="File of contacts: .csv, .jsonl, .ndjson (each also .gz) or .parquet.",
    ),
    click.option("--campaign", required=True, metavar="NAME", help="Each contact gets one message of a campaign."),
    click.option("--key-column", metavar="COLUMN", help="Names a person for good.  [default: the number does]"),
    click.option("--phone-column", default="phone", show_default=True, metavar="COLUMN", help="The number."),
    click.option("--postal-code-column", metavar="COLUMN", help="Lets the vendor keep calling hours better."),
    click.option(
        "--region", default="US", show_default=True, metavar="CC", help="Country of numbers without a country code."
    ),
    click.option("--partition", metavar="N/M", help="Only the Nth of M parts of the file, such as 3/8."),
)
_HOW: Final = (
    click.option("--pool-id", metavar="ID", help="Numbers to send from.  [default: the connection's]"),
    click.option("--callback-url", metavar="URL", help="Where results are posted.  [default: the connection's]"),
    conn_option,
    click.option(
        "--calling-hours",
        default="state",
        show_default=True,
        type=click.Choice(["state", "federal", "off"]),
        help="Which are kept; who is outside them is held, and the same command takes them later.",
    ),
    click.option(
        "--message-kind",
        default="marketing",
        show_default=True,
        type=click.Choice(["marketing", "informational"]),
        help="WA, WY and MA ban prerecorded marketing.",
    ),
    click.option(
        "--max-attempts",
        default=3,
        show_default=True,
        type=click.IntRange(1),
        help="On one number within --attempts-window, over all campaigns.",
    ),
    click.option(
        "--attempts-window",
        default="3d",
        show_default=True,
        callback=read_duration,
        metavar="TIME",
        help="In which --max-attempts are counted, such as 3d or 12h.",
    ),
    click.option("--no-cap", is_flag=True, help="Call however often a number was called."),
    click.option(
        "--repeat-window",
        default="20h",
        show_default=True,
        callback=read_window,
        metavar="TIME|off",
        help="Not the same content to the same number under another campaign within this time.",
    ),
    click.option(
        "--suppression",
        type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
        metavar="FILE",
        help="Numbers that are not contacted; kinds as for --contacts. The ledger's own list always applies.",
    ),
    click.option(
        "--suppression-column",
        multiple=True,
        metavar="COLUMN",
        help="The number in --suppression; repeat it for area code and number.  [default: the only column that can "
        "be meant]",
    ),
    click.option(
        "--max-unreadable-suppressions",
        default="0",
        show_default=True,
        callback=read_allowance,
        metavar="N|SHARE",
        help="Entries of --suppression that may be no phone numbers: 10, or a share such as 0.1%. With more, nobody is "
        "contacted.",
    ),
    click.option(
        "--max-reject-rate",
        default=0.2,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Stop when more of the last requests were refused.",
    ),
    click.option(
        "--max-unknown-rate",
        default=0.02,
        show_default=True,
        type=click.FloatRange(0, 1),
        help="Stop when more of the last requests are in doubt.",
    ),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Send to so many of the campaign at most."),
    click.option("--budget-usd", type=float, metavar="USD", help="What the campaign may cost at most."),
    click.option(
        "--concurrency",
        default=50,
        show_default=True,
        type=click.IntRange(1, MAX_CONCURRENCY),
        help="Requests under way at once; all runs of an account share its limit.",
    ),
    click.option(
        "--rate-per-s",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="Requests a second at most.  [default: as many as the connections allow]",
    ),
    click.option(
        "--dry-run",
        "is_dry_run",
        is_flag=True,
        help="Judge every row, foresee waves, times and cost; send and write nothing.",
    ),
    click.option(
        "--rows-output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.jsonl",
        help="With --dry-run: each row, its state and its reason. It holds numbers.",
    ),
    json_option,
)


def _with_options(*groups: tuple[Callable[[Function], Function], ...]) -> Callable[[Function], Function]:
    """The options in the order in which the help shows them."""

    def decorate(function: Function) -> Function:
        for option in reversed([option for group in groups for option in group]):
            function = option(function)
        return function

    return decorate


@click.group()
def send() -> None:
    """Send a voicemail or text to each contact of a file, once.

    Running the same command again asks only for what was not asked yet, whatever ended the first run.
    """


@send.command(short_help="Send a ringless voicemail to each contact.")
@_with_options(
    _WHO,
    (
        click.option("--brand-id", metavar="ID", help="Brand to send as.  [default: the connection's]"),
        click.option("--recording-id", metavar="ID", help="What is heard: a recording of the account."),
        click.option("--voice-id", metavar="ID", help="What is heard: this voice reads --tts-body."),
        click.option("--tts-body", metavar="TEXT", help="Text to read; {column} takes a value of the row."),
        click.option("--audio-url", metavar="URL", help="What is heard: a file on the web."),
        click.option("--audio-type", type=click.Choice(["mp3", "wav"]), help="Kind of the file on the web."),
        click.option("--forwarding-number", metavar="E.164", help="Where a call back goes."),
        click.option("--phone-ivr-id", metavar="ID", help="The vendor's phone menu for a call back."),
    ),
    _HOW,
)
@click.pass_context
def rvm(ctx: click.Context, /, **_options: object) -> None:
    """Send a ringless voicemail to each contact, once.

    \b
    Examples:
      dropcowboy send rvm --contacts due.csv --campaign spring --key-column id \\
          --recording-id a0000000-0000-4000-8000-000000000001 --dry-run
      dropcowboy send rvm --contacts due.csv --campaign spring-tts \\
          --voice-id en-1 --tts-body 'Hello {first_name}, your order is here.'
    """
    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.cli.sending import SendOptions, send_file

    send_file(SendOptions(channel=Channel.RVM, **ctx.params))


@send.command(short_help="Send a text to each contact who opted in.")
@_with_options(
    _WHO,
    (
        click.option("--sms-body", metavar="TEXT", help="At most 160 characters; {column} takes a value of the row."),
        click.option("--caller-id", metavar="E.164", help="The number that texts are sent from."),
        click.option("--opt-in", is_flag=True, default=None, help="Everybody in the file opted in."),
        click.option("--opt-in-column", metavar="COLUMN", help="Only rows with a clear yes here are sent to."),
    ),
    _HOW,
)
@click.pass_context
def sms(ctx: click.Context, /, **_options: object) -> None:
    """Send a text to each contact who opted in, once.

    \b
    Example:
      dropcowboy send sms --contacts due.csv --campaign spring-texts \\
          --caller-id +15045550100 --opt-in-column consented \\
          --sms-body 'Hi {first_name}, your order is here.'
    """
    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.cli.sending import SendOptions, send_file

    send_file(SendOptions(channel=Channel.SMS, **ctx.params))
