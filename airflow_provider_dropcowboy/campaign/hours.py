"""What a run needs of whoever judges calling hours."""

from datetime import datetime, timedelta
from typing import Protocol

from airflow_provider_dropcowboy.screening.consent import Need


class Ruling(Protocol):
    """Whether a number may be called at a moment, and why."""

    @property
    def is_open(self) -> bool:
        """Now."""

    @property
    def is_banned(self) -> bool:
        """Never, for messages of this kind."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """Consent without which it is forbidden, for messages of this kind."""

    @property
    def closes_at(self) -> datetime | None:
        """When open: nothing is written after it."""

    @property
    def opens_at(self) -> datetime | None:
        """When closed: the next opening."""

    @property
    def rule(self) -> str:
        """For a person and an auditor."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Where the person may be: ``US-CA``."""

    @property
    def caps(self) -> tuple[tuple[int, timedelta], ...]:
        """Most attempts in a time."""


class Hours(Protocol):
    """Judges numbers."""

    @property
    def version(self) -> str:
        """Of the rules and of the time zones."""

    def judge(self, e164: str, *, postal_code: str | None, at: datetime) -> Ruling:
        """The ruling for a number whose person may live at a postal code."""
