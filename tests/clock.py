"""A clock that a test moves. Real time passes on it too."""

from datetime import datetime, timedelta

from airflow_provider_dropcowboy.clock import Clock, Deadline


class MovableClock(Clock):
    """The machine's clocks, moved by what a test says."""

    def __init__(self) -> None:
        self._slept = timedelta(0)
        self._passed = timedelta(0)
        self._set_by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._slept + self._passed + self._set_by

    def boot_s(self) -> float:
        return super().boot_s() + (self._slept + self._passed).total_seconds()

    def awake_s(self) -> float:
        return super().awake_s() + self._passed.total_seconds()

    def let_pass(self, duration: timedelta) -> None:
        """So much time passes, in which the machine is awake."""
        self._passed += duration

    def suspend(self, duration: timedelta) -> None:
        """The machine sleeps for so long: ``time.monotonic`` stands still meanwhile, these clocks do not."""
        self._slept += duration

    def set_wall(self, by: timedelta) -> None:
        """Somebody sets the wall clock forward, or back."""
        self._set_by += by


class FrozenClock(MovableClock):
    """A clock on which time passes only when a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self._began_at, self._began_s, self._awake_s = Clock.now(self), Clock.boot_s(self), Clock.awake_s(self)

    def now(self) -> datetime:
        return self._began_at + self._slept + self._passed + self._set_by

    def boot_s(self) -> float:
        return self._began_s + (self._slept + self._passed).total_seconds()

    def awake_s(self) -> float:
        return self._awake_s + self._passed.total_seconds()


class BriskClock(MovableClock):
    """A clock on which pauses take a fiftieth of their time: back-off, heartbeats, the wait for a database."""

    def pause_s(self, seconds: float) -> float:
        return seconds / 50


LOOKS_A_REQUEST = 2  # when its turn comes, and before its first byte


class SleepyClock(BriskClock):
    """A machine that is suspended between a claim and its request.

    :param before: the number of the request; of each ``before``-th one if ``is_again``.
    """

    def __init__(self, sleeps_for: timedelta, *, before: int, is_again: bool = False) -> None:
        super().__init__()
        self._sleeps_for = sleeps_for
        self._before = before
        self._is_again = is_again
        self._looks = 0

    def has_passed(self, deadline: Deadline) -> bool:
        self._looks += 1
        if self._looks == LOOKS_A_REQUEST * self._before:
            self.suspend(self._sleeps_for)
            self._looks = 0 if self._is_again else self._looks
        return super().has_passed(deadline)
