"""The machine's time: wall clock, boot clock and deadlines on both. The ledger's instants come from the database."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a permission to write ends, on both clocks. It has passed as soon as one of them says so.

    :param at: on the wall clock; aware, UTC.
    :param boot_s: on the boot clock.
    """

    at: datetime
    boot_s: float

    def at_most(self, other: "Deadline") -> "Deadline":
        """The earlier of two deadlines, on each clock."""
        return Deadline(min(self.at, other.at), min(self.boot_s, other.boot_s))


class Clock:
    """The machine's clocks. They are passed in, so that a test can pass clocks that it moves.

    Neither clock is enough to end a claim. The wall clock can be set back. ``time.monotonic`` stands still on Linux
    while the machine is suspended, so a claim would outlive its lease by as long as that took.
    """

    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        return utcnow()

    def boot_s(self) -> float:
        """Seconds on a clock that nobody sets and that counts while the machine is suspended."""
        return time.clock_gettime(_BOOT_CLOCK)

    def awake_s(self) -> float:
        """Seconds on a clock that stands still while the machine is suspended: for patience with others."""
        return time.monotonic()

    def deadline(self, after: timedelta) -> Deadline:
        """So long after now."""
        return Deadline(self.now() + after, self.boot_s() + after.total_seconds())

    def deadline_at(self, at: datetime) -> Deadline:
        """The instant ``at``; the boot clock's part counts from now."""
        return Deadline(at, self.boot_s() + (at - self.now()).total_seconds())

    def pause_s(self, seconds: float) -> float:
        """How long a pause of so many seconds lasts, in seconds: as long. A test's clock cuts pauses short."""
        return seconds

    def has_passed(self, deadline: Deadline) -> bool:
        """Whether one of the clocks has reached the deadline."""
        return self.boot_s() >= deadline.boot_s or self.now() >= deadline.at


_BOOT_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: CLOCK_MONOTONIC counts sleep
SYSTEM_CLOCK: Final = Clock()
