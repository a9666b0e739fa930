"""The calling hours of a send: the rules this package ships, with those of the user's file."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours


def calling_hours(mode: str, *, channel: str, message_kind: str) -> "CallingHours | None":
    """Who judges them; None: ``off``, nobody does.

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
    from pathlib import Path

    from airflow_provider_dropcowboy.errors import ConfigurationError
    from airflow_provider_dropcowboy.hooks.config import setting

    rules_path = setting("dropcowboy", "calling_hours_rules")
    try:
        return Path(rules_path).read_text(encoding="utf-8") if rules_path else None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"[dropcowboy] calling_hours_rules names a file that cannot be read ({type(error).__name__}). "
            "Nothing was sent."
        ) from None
