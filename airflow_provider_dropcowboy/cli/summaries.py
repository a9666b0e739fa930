"""How ``dropcowboy send`` shows what a run came to, or what a dry run foresees."""

import click

from airflow_provider_dropcowboy.api.messages import Channel
from airflow_provider_dropcowboy.campaign.forecast import ASSUMED_ANSWER_S, ByPlace, Forecast
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.cli.console import Cell, print_json, print_pairs, print_table
from airflow_provider_dropcowboy.states import State


def show_summary(summary: Summary, channel: Channel, *, as_json: bool) -> None:
    """The counts are on stdout; of a dry run with what it foresees."""
    if as_json:
        print_json(summary.as_dict())
        return
    print_table(
        [channel.value, "rows", "why"],
        [
            ("read", summary.read, ""),
            *((f"  {state}", count, summary.reasons_of(state)) for state, count in summary.counts.items()),
        ],
        title=f"campaign {summary.campaign}" + (" (dry run: nothing was sent)" if summary.forecast else ""),
    )
    if summary.forecast is not None:
        _show_forecast(summary.forecast, channel)
        return
    print_pairs(
        [
            ("asked now", summary.asked),
            ("asked before", summary.already),
            ("took", f"{summary.seconds:.1f} s, {summary.rate_per_s:.0f}/s"),
        ]
    )


def _show_forecast(forecast: Forecast, channel: Channel) -> None:
    cost = f"about {forecast.cost_usd:.2f} US dollars" if forecast.cost_usd is not None else None
    click.echo()
    print_pairs(
        [
            ("would send", forecast.sends),
            ("cost", cost or f"not known: the connection has no price_{channel}_usd"),
            ("first", forecast.begins_at),
            ("last", forecast.ends_at),
            ("estimated", f"{forecast.rate_per_s:.0f} requests a second, {ASSUMED_ANSWER_S:g} s each"),
        ]
    )
    if forecast.left:
        click.echo()
        print_table(
            ["hours open", "rows"],
            forecast.left.items(),
            title="held until their calling hours; the same command takes them then",
        )
    for name, places in (("state", forecast.regions), ("time zone", forecast.zones)):
        _show_places(name, places)


def _show_places(name: str, places: ByPlace) -> None:
    states = [state for state in State if any(state in counts for counts in places.values())]
    rows: list[tuple[Cell, ...]] = [
        (place, *(counts.get(state, 0) for state in states)) for place, counts in places.items()
    ]
    if rows:
        click.echo()
        print_table([name, *(state.value for state in states)], rows)
