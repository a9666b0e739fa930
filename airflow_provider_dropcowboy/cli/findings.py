"""What ``dropcowboy doctor`` finds, and its looks at the settings and the installation."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.cli.console import DISTRIBUTION
from airflow_provider_dropcowboy.clock import utcnow

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

TRIGGERER_SILENT_AFTER: Final = timedelta(seconds=60)
EXTRAS: Final = {"postgres": ("psycopg",), "receiver": ("uvicorn", "prometheus_client"), "files": ("pyarrow",)}


class Mark(StrEnum):
    """How a check ended. WARN: nothing is wrong yet, and someone should look."""

    OK = "ok"
    WARN = "WARN"
    FIX = "FIX"


OK, WARN, FIX = Mark


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``dropcowboy doctor``.

    :param text: what is well, or what is not and what to do.
    """

    about: str
    mark: Mark
    text: str


def look_at_prices(settings: "ConnectionSettings") -> Finding:
    """Whether costs are known: forecasts, ``budget_usd`` and the page need them."""
    missing = " and no ".join(name for name in ("price_rvm_usd", "price_sms_usd") if getattr(settings, name) is None)
    if missing:
        return Finding(
            "prices", WARN, f"no {missing}: no cost is forecast, and budget_usd is refused. Set your prices."
        )
    return Finding("prices", OK, f"${settings.price_rvm_usd} a voicemail, ${settings.price_sms_usd} a text")


def look_at_triggerer(beat_at: datetime | None) -> Finding:
    """Whether a triggerer lives: tasks that wait for calling hours, and deferrable sensors, need one.

    :param beat_at: aware; the last sign of life of one. None: Airflow's database knows of none, or is not reached.
    """
    if beat_at is not None and utcnow() - beat_at <= TRIGGERER_SILENT_AFTER:
        return Finding("triggerer", OK, "alive: tasks can wait for calling hours")
    text = (
        "none is alive, as far as Airflow's database says: a task that waits for calling hours would wait forever. "
        "Start `airflow triggerer`. `dropcowboy send` and dag.test() need none."
    )
    return Finding("triggerer", WARN, text)


def look_at_extras() -> Finding:
    """Which optional parts of the package are installed."""
    there = {name: all(find_spec(module) for module in modules) for name, modules in EXTRAS.items()}
    missing = ",".join(name for name, is_there in there.items() if not is_there)
    text = f"installed: {', '.join(name for name, is_there in there.items() if is_there) or 'none'}"
    return Finding("extras", OK, f"{text}; for more, pip install '{DISTRIBUTION}[{missing}]'" if missing else text)
