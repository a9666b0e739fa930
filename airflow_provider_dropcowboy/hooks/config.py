"""Airflow's settings and connections. Read without Airflow where that is safe: importing it needs two seconds."""

import json
import os
import sys
from configparser import Error, RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours


_BUILT_IN: Final = {("core", "executor"): "LocalExecutor"}
"""Airflow's own default of what is read here; the others have none."""


@dataclass(slots=True)
class WrittenConnection:
    """A connection that is written as JSON, read as Airflow would read it."""

    conn_type: str | None = None
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    extra_dejson: dict[str, object] = field(default_factory=dict, repr=False)


def read_connection(text: str) -> WrittenConnection | None:
    """Read a connection of plain JSON. None: only Airflow can read it, or say what is wrong with it."""
    try:
        written = json.loads(text)
        extra = written.pop("extra", None) or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        port = written.pop("port", None)
        is_plain = isinstance(extra, dict) and all(isinstance(value, str | None) for value in written.values())
        return WrittenConnection(**written, port=int(port) if port else None, extra_dejson=extra) if is_plain else None
    except (AttributeError, TypeError, ValueError):
        return None


def setting(section: str, key: str) -> str | None:
    """A value of Airflow's configuration; None: it is not set.

    In a process of Airflow, Airflow reads it. In any other, the environment and ``airflow.cfg`` are read as they are,
    unless Airflow could find another value: by a command, a secrets backend, or something to fill in.
    """
    if "airflow" not in sys.modules and (found := _read_plainly(section, key)) is not None:
        return found or _BUILT_IN.get((section, key))
    from airflow.providers.common.compat.sdk import conf

    value: str | None = conf.get(section, key, fallback=None)
    return value


def home() -> Path:
    """Airflow's folder."""
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser().absolute()


def _read_plainly(section: str, key: str) -> str | None:
    """The value, or an empty text where there is none; None: only Airflow knows."""
    variable = f"AIRFLOW__{section}__{key}".upper()
    if any(name in os.environ for name in (f"{variable}_CMD", f"{variable}_SECRET", "AIRFLOW__CORE__UNIT_TEST_MODE")):
        return None
    if variable in os.environ:
        return _plain(os.environ[variable])
    file = Path(os.path.expandvars(os.environ.get("AIRFLOW_CONFIG") or str(home() / "airflow.cfg"))).expanduser()
    parser = RawConfigParser()
    try:
        text = file.read_text(encoding="utf-8")
        parser.read_string(text)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, Error):
        return None
    if any(parser.has_option(section, f"{key}_{kind}") for kind in ("cmd", "secret")):
        return None
    return _plain(parser.get(section, key, fallback=""))


def _plain(value: str) -> str | None:
    return None if any(mark in value for mark in "%$~{") else value.strip()


def is_set_up() -> bool:
    """Whether Airflow may have a database here, and so connections of its own."""
    names = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN", "AIRFLOW_CONFIG")
    is_named = any(name.startswith(names) for name in os.environ)
    return is_named or any((home() / name).exists() for name in ("airflow.cfg", "airflow.db"))


def calling_hours(mode: str, *, channel: str, message_kind: str) -> "CallingHours | None":
    """The calling hours of a send; None for mode ``off``.

    :param channel: ``rvm`` or ``sms``.
    :raises ConfigurationError: ``[dropcowboy] calling_hours_rules`` names a file that cannot be read.
    """
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode

    if mode == "off":
        return None
    return CallingHours.load(Mode(mode), channel=channel, message_kind=message_kind, rules_text=own_rules())


def own_rules() -> str | None:
    """The text of the user's file of rules; None: the setting names none.

    :raises ConfigurationError: ``[dropcowboy] calling_hours_rules`` names a file that cannot be read.
    """
    from airflow_provider_dropcowboy.errors import ConfigurationError

    rules_path = setting("dropcowboy", "calling_hours_rules")
    try:
        return Path(rules_path).read_text(encoding="utf-8") if rules_path else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"[dropcowboy] calling_hours_rules names a file that cannot be read ({type(error).__name__}). "
            "Nothing was sent."
        ) from None
