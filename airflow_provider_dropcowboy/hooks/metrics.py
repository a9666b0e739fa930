"""Metrics of a run, through whatever Airflow sends its own to (StatsD, DogStatsD, OpenTelemetry)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.lists.wanted import ListSummary

PREFIX: Final = "dropcowboy"


def count_campaign(summary: "Summary", *, channel: str, tags: Mapping[str, str]) -> None:
    """What a run came to is counted, also a run that fails.

    :param channel: ``rvm`` or ``sms``; in the names, since plain StatsD knows no tags.
    :param tags: ids of the DAG and the task: never a campaign, of which there is no end.
    """
    from airflow.providers.common.compat.sdk import Stats

    name = f"{PREFIX}.{channel}"
    counted = {"read": summary.read, "asked": summary.asked, **summary.counts}
    # rows that another run had asked for were counted then
    counted |= {state: summary.own.get(state, 0) for state in ASKED_STATES}
    for what, count in counted.items():
        if count:
            Stats.incr(f"{name}.{what}", count, tags=dict(tags))
    Stats.gauge(f"{name}.in_doubt", summary.counts.get("unknown", 0), tags=dict(tags))
    Stats.gauge(f"{name}.rate_per_s", round(summary.rate_per_s, 1), tags=dict(tags))
    Stats.timing(f"{name}.duration", timedelta(seconds=summary.seconds), tags=dict(tags))


def count_list(summary: "ListSummary", *, tags: Mapping[str, str]) -> None:
    """What a sync of a contact list came to is counted."""
    from airflow.providers.common.compat.sdk import Stats

    counted = summary.counts()
    Stats.gauge(f"{PREFIX}.list.contacts", counted.pop("contact_count"), tags=dict(tags))
    Stats.gauge(f"{PREFIX}.list.in_doubt", counted["unknown"], tags=dict(tags))
    for what, count in counted.items():
        if count:
            Stats.incr(f"{PREFIX}.list.{what}", count, tags=dict(tags))
    Stats.timing(f"{PREFIX}.list.duration", timedelta(seconds=summary.seconds), tags=dict(tags))


ASKED_STATES: Final = ("claimed", "accepted", "rejected", "released", "unknown", "delivered", "failed", "expired")
"""States of rows that some run has asked for; the others are a run's own verdicts."""
