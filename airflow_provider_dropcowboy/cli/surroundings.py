"""What ``dropcowboy doctor`` finds around a run: clocks, calling hours, prices, triggerer, and installed parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.cli.main import DISTRIBUTION
from airflow_provider_dropcowboy.cli.rules import is_stale
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.health import MAX_CLOCK_SKEW
from airflow_provider_dropcowboy.screening.places import ZoneRules, is_older
from airflow_provider_dropcowboy.screening.rules import Rulebook

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

TRIGGERER_SILENT_AFTER: Final = timedelta(seconds=60)
EXTRAS: Final = {"postgres": ("psycopg",), "receiver": ("uvicorn", "prometheus_client"), "files": ("pyarrow",)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``dropcowboy doctor``.

    :param text: what is well, or what is not and what to do.
    :param is_warning: nothing is wrong yet, and someone should look.
    """

    about: str
    is_ok: bool
    text: str
    is_warning: bool = False


def compare_clocks(whose: str, skew: timedelta) -> Finding:
    """Whether another clock agrees with this machine's.

    :param skew: by how much it is ahead.
    """
    differs = f"this machine's clock and {whose} differ by {abs(skew.total_seconds()):.0f} s"
    if abs(skew) > MAX_CLOCK_SKEW:
        return Finding("clock", False, f"{differs}. Set them by NTP: calling hours and leases need one time.")
    return Finding("clock", True, differs)


def look_at_rules(book: Rulebook, *, today: date) -> Finding:
    """How old the laws are by which people are called; the check warns, since a law may change on any day."""
    age = "on no known day" if book.as_of is None else f"{(today - book.as_of).days} days ago"
    text = f"the rules {book.version} were checked {age}, and know holidays until {book.holidays_until}"
    if not is_stale(book, today):
        return Finding("calling hours", True, text)
    return Finding(
        "calling hours", True, f"{text}. Install a newer version; `dropcowboy rules stale` says more.", is_warning=True
    )


def look_at_zones(copies: Sequence[ZoneRules], *, needed: str) -> Finding:
    """Which copy of the time zone rules decides calling hours, and which are not used.

    :param copies: the newest first.
    :param needed: the version that the tables of places were made with.
    """
    newest, *others = copies
    if is_older(newest.version, needed):
        return Finding(
            "time zones",
            False,
            f"the newest rules are {newest.version}, in {newest.origin}, and calling hours need {needed}. "
            "Run `pip install --upgrade tzdata`.",
        )
    unused = "".join(
        f"; {copy.origin} has {'the older ' if is_older(copy.version, newest.version) else ''}{copy.version}, not used"
        for copy in others
    )
    return Finding("time zones", True, f"calling hours use {newest.version}, from {newest.origin}{unused}")


def look_at_prices(settings: "ConnectionSettings") -> Finding:
    """Whether costs are known: forecasts, ``budget_usd`` and the page need them."""
    missing = [name for name in ("price_rvm_usd", "price_sms_usd") if getattr(settings, name) is None]
    if not missing:
        return Finding("prices", True, f"${settings.price_rvm_usd} a voicemail, ${settings.price_sms_usd} a text")
    return Finding(
        "prices",
        True,
        f"no {' and no '.join(missing)}: no cost is forecast, and budget_usd is refused. Set your prices.",
        is_warning=True,
    )


def look_at_triggerer(beat_at: datetime | None) -> Finding:
    """Whether a triggerer lives: tasks that wait for calling hours, and deferrable sensors, need one.

    :param beat_at: aware; the last sign of life of one. None: Airflow's database knows of none, or is not reached.
    """
    if beat_at is None or utcnow() - beat_at > TRIGGERER_SILENT_AFTER:
        return Finding(
            "triggerer",
            True,
            "none is alive, as far as Airflow's database says: a task that waits for calling hours would wait forever. "
            "Start `airflow triggerer`. `dropcowboy send` and dag.test() need none.",
            is_warning=True,
        )
    return Finding("triggerer", True, "alive: tasks can wait for calling hours")


def look_at_extras() -> Finding:
    """Which optional parts of the package are installed."""
    there = {name: all(find_spec(module) for module in modules) for name, modules in EXTRAS.items()}
    missing = [name for name, is_there in there.items() if not is_there]
    text = f"installed: {', '.join(name for name, is_there in there.items() if is_there) or 'none'}"
    if missing:
        text += f"; for more, pip install '{DISTRIBUTION}[{','.join(missing)}]'"
    return Finding("extras", True, text)
