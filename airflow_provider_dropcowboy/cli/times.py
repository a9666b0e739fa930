"""Times as they are typed, read by an option's ``callback``: how long, and when."""

from datetime import UTC, datetime, timedelta

import click

from airflow_provider_dropcowboy.argument_kinds import read_duration


def read_time(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """``90d``, ``12h`` or ``30m``."""
    duration = read_duration(value)
    if not duration:
        raise click.BadParameter(f"{value!r} is no time. Write it like 90d, 12h or 30m.")
    return duration


def read_instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601; UTC if it names no zone."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment. Write it like 2026-11-24T08:00:00+00:00.") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
