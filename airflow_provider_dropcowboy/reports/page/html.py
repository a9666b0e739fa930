"""Pages of HTML from templates in which every value is escaped, and the headers that keep them harmless."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import jinja2

from airflow_provider_dropcowboy.reports.page.chart import ORDER
from airflow_provider_dropcowboy.states import State

_FOLDER: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_FOLDER / "style.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

ZONES: Final = (
    "UTC", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage",
    "Pacific/Honolulu",
)  # fmt: skip
"""Time zones that a reader may choose, beside Airflow's own."""

ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0d9488" stroke-width="2" '
    'stroke-linecap="round"><circle cx="6.5" cy="12" r="4"/><circle cx="17.5" cy="12" r="4"/>'
    '<path d="M6.5 16h11"/></svg>'
)
"""Of the navigation: the sign of a voicemail."""

HEADERS: Final[Mapping[str, str]] = {
    # nothing is loaded and nothing runs: the style is in the page, and this one alone
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'self'; "
        "base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


LABELS: Final = {
    State.READY: "Ready",
    State.INVALID: "Invalid",
    State.SUPPRESSED: "Suppressed",
    State.DUPLICATE: "Duplicate",
    State.CAPPED: "Capped",
    State.HELD: "Held",
    State.WITHDRAWN: "Withdrawn",
    State.CLAIMED: "Being sent",
    State.ACCEPTED: "No result yet",
    State.REJECTED: "Refused",
    State.RELEASED: "Not sent yet",
    State.UNKNOWN: "In doubt",
    State.DELIVERED: "Delivered",
    State.FAILED: "Failed",
    State.EXPIRED: "No result in time",
}
"""What the page calls a state."""


def render(template: str, *, zone: tzinfo, **values: object) -> str:
    """The page of a template.

    :param zone: of the reader.
    """
    return _ENVIRONMENT.get_template(template).render(zone=zone, **values)


def _number(value: int) -> str:
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _dollars(value: Decimal) -> str:
    return f"${value:,.2f}"


@jinja2.pass_context
def _moment(context: jinja2.runtime.Context, at: datetime) -> str:
    """In the reader's time zone, as a person writes it: ``Nov 28, 2026, 11:02 AM``."""
    local = at.astimezone(context["zone"])
    return f"{local:%b} {local.day}, {local.year}, {_clock(local)}"


@jinja2.pass_context
def _exact(context: jinja2.runtime.Context, at: datetime) -> str:
    local = at.astimezone(context["zone"])
    return f"{local:%b} {local.day}, {local.year}, {local:%H:%M:%S}"


@jinja2.pass_context
def _soon(context: jinja2.runtime.Context, at: datetime) -> str:
    """Of the next days, with its zone, and in New York's time too if that is another: ``Mon 4:00 PM UTC (…)``."""
    local = at.astimezone(context["zone"])
    eastern = at.astimezone(_EASTERN)
    said = f"{local:%a} {_clock(local)} {local.tzname()}"
    return said if local.utcoffset() == eastern.utcoffset() else f"{said} ({_clock(eastern)} {eastern.tzname()})"


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, at: datetime) -> str:  # noqa: ARG001  # a logical date is a day in UTC
    return f"{at:%b} {at.day}, {at.year}"


def _titled(name: str) -> tuple[str, datetime | None]:
    """A campaign's name for people: without the date that the default name ends in, and that date.

    :returns: ``("dag.task", the logical date)``, or the name as it is and None.
    """
    found = _DATED.fullmatch(name)
    if found is None:
        return name, None
    try:
        return found[1], datetime.fromisoformat(found[2]).astimezone(UTC)
    except ValueError:
        return name, None


def _clock(at: datetime) -> str:
    return f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"


_DATED: Final = re.compile(r"(.+)@(?:[a-z_]+__)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?:_\w+)?")
_EASTERN: Final = ZoneInfo("America/New_York")
_ENVIRONMENT: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {"style": _STYLE, "zones": ZONES, "order": ORDER, "labels": LABELS}
_ENVIRONMENT.filters |= {
    "number": _number, "share": _share, "dollars": _dollars, "moment": _moment, "exact": _exact, "soon": _soon,
    "day": _day, "titled": _titled,
}  # fmt: skip
