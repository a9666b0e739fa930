"""Times as they are typed, read by an option's ``callback``: how long, and when."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])")


def read_duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """``90d``, ``12h`` or ``30m``."""
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is no time. Write it like 90d, 12h or 30m.")
    return int(match[1]) * _UNITS[match[2]]


def read_window(ctx: click.Context, param: click.Parameter, value: str) -> timedelta | None:
    """As ``read_duration``; None for ``off``."""
    return None if value.strip() == "off" else read_duration(ctx, param, value)


def read_instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601; UTC if it names no zone."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment. Write it like 2026-11-24T08:00:00+00:00.") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
