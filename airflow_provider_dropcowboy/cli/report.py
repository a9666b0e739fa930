"""``dropcowboy report`` and ``export``: what became of a campaign and of one message of it, and gaps in the results."""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli import connection, console, options
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_dropcowboy.reports.deliveries import Life
    from airflow_provider_dropcowboy.reports.results import Funnel

MAX_REASONS: Final = 5

_UNREADABLE: Final = "entries could not be read, and were allowed to pass"
_LOST: Final = "results came, and the ledger has no record of the sends; they are not sent again"


@click.command()
@click.argument("campaign", required=False)
@click.option("--contact", metavar="KEY", help="Show the history of this contact's message.")
@click.option("--gaps", "is_gaps", is_flag=True, help="Show accepted sends without a result, by hour and campaign.")
@click.option(
    "--quiet-after",
    callback=options.read_time,
    default="1h",
    show_default=True,
    metavar="TIME",
    help="With --gaps: how long a send may go without a result.",
)
@options.finds_campaigns
@options.as_json
def report(
    *,
    campaign: str | None,
    contact: str | None,
    is_gaps: bool,
    quiet_after: timedelta,
    where: options.Where,
    as_json: bool,
) -> None:
    """Report the results of a campaign or a message.

    States and reasons, who was not contacted and why, cost, time to delivery.

    \b
    Examples:
      dropcowboy report spring
      dropcowboy report spring --contact 4711
      dropcowboy report --gaps
    """
    if is_gaps and contact is None:
        _show_gaps(campaign, quiet_after=quiet_after, conn=where.conn, as_json=as_json)
    elif campaign is None or is_gaps:
        raise click.UsageError("Name a campaign, with or without --contact; or give --gaps.")
    elif contact is None:
        _show_funnels(campaign, where, as_json=as_json)
    else:
        _show_lives(campaign, contact, where, as_json=as_json)


def _show_funnels(name: str, where: options.Where, *, as_json: bool) -> None:
    from airflow_provider_dropcowboy.reports.results import read_funnel

    ledger, campaigns = where.campaigns(name)
    funnels = [read_funnel(ledger, campaign) for campaign in campaigns]
    if as_json:
        console.print_json([funnel.as_dict() for funnel in funnels])
        return
    for funnel in funnels:
        _print_funnel(funnel)


def _print_funnel(funnel: "Funnel") -> None:
    from airflow_provider_dropcowboy.states import State

    sends = funnel.counts.total()
    states = [state for state in State if funnel.counts[state]]
    console.print_table(
        ["state", "sends", "share", "why"],
        [
            ("sent", funnel.sent, "", ""),
            *(
                (
                    f"  {state}",
                    funnel.counts[state],
                    f"{funnel.counts[state] / sends:.1%}",
                    _most(funnel.reasons_of(state)),
                )
                for state in states
            ),
        ],
        title=f"campaign {console.campaign_label(funnel.campaign)}",
    )
    not_sent = funnel.not_sent
    if not_sent.counts:
        console.print_table(
            ["verdict", "rows", "why"],
            [(state, rows, _most(not_sent.reasons_of(state))) for state, rows in not_sent.counts.most_common()],
            title="not sent",
        )
    took = ", ".join(
        f"{percentile} % within {_time(seconds)}" for percentile, seconds in funnel.seconds_to_delivery.items()
    )
    unreadable = funnel.unreadable_suppressions
    console.print_pairs(
        [
            ("first sent", funnel.first_claimed_at),
            ("last result", funnel.last_final_at),
            ("to delivery", took or None),
            (
                "suppression list",
                f"{unreadable} {_UNREADABLE}" if unreadable else None,
            ),
            ("lost sends", f"{funnel.lost}: {_LOST}" if funnel.lost else None),
            ("cost", f"{funnel.cost_usd:.4f} US dollars, known for {funnel.costed} sends"),
        ]
    )


def _most(found: "Sequence[tuple[str, int]]") -> str:
    more = f"; {len(found) - MAX_REASONS} more" if len(found) > MAX_REASONS else ""
    return "; ".join(f"{reason} ({count})" for reason, count in found[:MAX_REASONS]) + more


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else str(timedelta(seconds=round(seconds)))


def _show_lives(name: str, contact: str, where: options.Where, *, as_json: bool) -> None:
    from airflow_provider_dropcowboy.campaign.messages import Identity
    from airflow_provider_dropcowboy.reports.deliveries import read_life

    key = options.read_key(contact)
    ledger, campaigns = where.campaigns(name)
    found = []
    for campaign in campaigns:
        # by the message's own name, which also finds it after its person was pruned
        for name in Identity.of(ledger.key, campaign).names(key):
            if (life := read_life(ledger, name)) is not None:
                found.append((campaign, life))
    if not found:
        raise ConfigurationError(
            f"Nobody with that contact key was ever sent to in campaign {name!r}. The key is what key_column holds, "
            "or the number in E.164 where there is none."
        )
    if as_json:
        console.print_json(
            [{"campaign": campaign.name, "channel": campaign.channel, **asdict(life)} for campaign, life in found]
        )
        return
    for campaign, life in found:
        _print_life(f"campaign {console.campaign_label(campaign)}", life)


def _print_life(heading: str, life: "Life") -> None:
    click.echo(heading)
    console.print_pairs(
        [
            ("foreign_id", life.foreign_id),
            ("number", life.phone_number),
            ("state", f"{life.state} ({life.reason})" if life.reason else life.state),
            ("attempt", life.attempt),
            ("drop_id", life.drop_id),
            ("cost", None if life.cost_usd is None else f"{life.cost_usd:.4f} US dollars"),
            ("network", life.network),
        ]
    )
    console.print_table(
        ["at", "event", "state", "attempt", "by", "reason"],
        [(event.at, event.event, event.state, event.attempt, event.by, event.reason) for event in life.events],
    )


def _show_gaps(name: str | None, *, quiet_after: timedelta, conn: str | None, as_json: bool) -> None:
    from airflow_provider_dropcowboy.reports.results import LOOK_BACK, read_gaps

    gaps = read_gaps(connection.open_ledger_of(conn), quiet_after=quiet_after, campaign=name)
    if as_json:
        console.print_json([asdict(gap) for gap in gaps])
    elif gaps:
        console.print_table(
            ["accepted in the hour", "campaign", "channel", "without result", "of"],
            [(gap.hour_at, gap.campaign, gap.channel, gap.untold, gap.accepted) for gap in gaps],
        )
    else:
        click.echo(f"Of all that was accepted in the last {LOOK_BACK.days} days a result came in time.")


@click.command()
@click.argument("campaign")
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Its name ends in .jsonl, .csv or .parquet. An existing file is replaced once the new one is complete.",
)
@click.option("--include-not-sent", is_flag=True, help="Also export each row that was not sent, with its verdict.")
@options.finds_campaigns
def export(
    *,
    campaign: str,
    output: Path,
    include_not_sent: bool,
    where: options.Where,
) -> None:
    """Export each send of a campaign to a file.

    With its state, reason, times and cost. The file holds contact keys and phone numbers.

    \b
    Examples:
      dropcowboy export spring --output spring.parquet
      dropcowboy export spring --output spring.csv --include-not-sent
    """
    from airflow_provider_dropcowboy.reports.deliveries import ALL_COLUMNS, COLUMNS, read_campaign
    from airflow_provider_dropcowboy.reports.export import counted, writer_for

    write = writer_for(output.name, ALL_COLUMNS if include_not_sent else COLUMNS)
    ledger, campaigns = where.campaigns(campaign)
    counts: Counter[str] = Counter()
    sends = chain.from_iterable(read_campaign(ledger, each, include_not_sent=include_not_sent) for each in campaigns)
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)  # of an export that was killed; this one is for its owner only
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            write(counted(sends, counts), file)
        unfinished.replace(output)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}. Nothing was exported.") from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    click.echo(f"{counts.total()} {'rows' if include_not_sent else 'sends'} of campaign {campaign} are in {output}.")
