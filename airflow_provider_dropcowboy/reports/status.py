"""What a campaign is doing, decided in one place for the command line and the report page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

DIED: Final = "Its worker was lost. Clear the task, or run the command again, to send the rest."
"""Why a campaign stopped whose run neither ended nor gives a sign of life."""


class Phase(StrEnum):
    """What a campaign is doing."""

    SENDING = "sending"
    WAITING = "waiting"  # for the next calling window
    PAUSED = "paused"
    STOPPED = "stopped"  # its last run failed, was skipped, or died
    FINISHED = "finished"


class LastRun(Protocol):
    """The newest run of one task of the campaign."""

    @property
    def has_died(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def stop_reason(self) -> str | None: ...
    @property
    def next_opening_at(self) -> datetime | None: ...
    @property
    def waits(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a campaign is doing, and why.

    :param why: for which a run of it stopped.
    :param has_failed: the run failed; otherwise somebody stopped it, or it was skipped.
    :param opens_at: the next calling window that its held contacts wait for.
    :param waits: its task goes on by itself then.
    """

    phase: Phase
    why: str | None = None
    has_failed: bool = False
    opens_at: datetime | None = None
    waits: bool = False


def status_of(runs: Iterable[LastRun], *, is_sending: bool, is_paused: bool, at: datetime) -> Status:
    """Where a campaign stands by the newest run of each of its tasks.

    :param is_sending: any run of it lives.
    :param at: now, by the database's clock.
    """
    last = list(runs)
    if is_sending:
        return Status(phase=Phase.SENDING)
    if is_paused:
        return Status(phase=Phase.PAUSED)
    if any(run.has_died for run in last):
        return Status(phase=Phase.STOPPED, why=DIED, has_failed=True)
    for run in last:
        if why := run.error or run.stop_reason:
            return Status(phase=Phase.STOPPED, why=why, has_failed=run.error is not None)
    openings = [run.next_opening_at for run in last if run.next_opening_at is not None]
    waits = any(run.waits for run in last)
    if openings and (waits or min(openings) > at):
        return Status(phase=Phase.WAITING, opens_at=min(openings), waits=waits)
    return Status(phase=Phase.FINISHED)
