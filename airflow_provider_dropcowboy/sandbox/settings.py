"""How the sandbox behaves, checked when built, and the limits that answer 429."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Self

OUTCOMES: Final = ("success", "failure", "dnc", "silent")

DEFAULT_OUTCOMES: Final[Mapping[str, float]] = {"success": 0.88, "failure": 0.08, "dnc": 0.03, "silent": 0.01}
"""Shares of the sends. ``silent``: no callback ever. What is left of 1 when only some are given goes to ``success``."""

LEAST: Final[Mapping[str, float]] = {
    **dict.fromkeys(("callback_lost", "webhook_twice", "latency_ms", "callback_delay_s", "webhook_spread_s"), 0),
    "funds_usd": 0,
    "max_concurrency": 1,
    "rate_per_s": 0.001,
    "callback_concurrency": 1,
}
"""Bounds of the settings that are numbers."""


class SettingsError(ValueError):
    """A setting or a fault that the sandbox cannot follow; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Credentials, pace and outcomes.

    :param latency_ms: before every answer of the API; the request is carried out before, as at the vendor.
    :param max_concurrency: above so many requests at once the answer is 429; ``None``: no such limit.
    :param rate_per_s: above so many requests a second (a second's worth at once) the answer is 429; ``None``: no limit.
    :param callback_delay_s: from the taking of a send to its callback.
    :param callback_concurrency: callbacks on the way at once.
    :param outcomes: share of the sends by outcome, see ``OUTCOMES``; a number decides for itself, always the same.
    :param callback_lost: share of the callbacks that never leave, although their webhooks do; a send decides.
    :param key: API v2, ``x-key``; ``secret`` is the ``x-secret`` of both versions.
    :param codes: API v2, the ``reason_code`` of every send to a number, or of all others with ``*``.
    :param webhook_twice: API v2, share of the events that are delivered twice.
    :param webhook_spread_s: API v2, events are late by up to so much, each by another time: they come out of order.
    :param funds_usd: API v2, what readiness shows; with 0 every send fails with 3000.
    :param audio_url_allowed: API v2, without it ``audio_url`` fails with 3014.
    :param test_numbers_only: API v2, with it a voicemail to another number fails with 3040.
    :param byoc: API v2, without it ``byoc`` fails with 3016.
    :param seed: of the dice that faults with a share are drawn with.
    :raises SettingsError: a value out of its bounds.
    """

    team_id: str = "sandbox-team"
    secret: str = field(default="sandbox-secret", repr=False)
    latency_ms: float = 0.0
    max_concurrency: int | None = None
    rate_per_s: float | None = None
    callback_delay_s: float = 0.2
    callback_concurrency: int = 100
    callback_lost: float = 0.0
    outcomes: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_OUTCOMES))
    key: str = "sandbox-key"
    codes: Mapping[str, int] = field(default_factory=dict)
    webhook_twice: float = 0.0
    webhook_spread_s: float = 0.0
    funds_usd: float = 100.0
    audio_url_allowed: bool = True
    test_numbers_only: bool = False
    byoc: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.team_id or not self.secret or not self.key:
            raise SettingsError("team_id, key and secret must not be empty")
        for name in ("audio_url_allowed", "test_numbers_only", "byoc"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} must be true or false")
        codes: object = self.codes
        if not isinstance(codes, Mapping) or not all(type(code) is int for code in codes.values()):
            raise SettingsError("codes must be an object of whole numbers by phone number")
        for name, minimum in LEAST.items():
            value: object = getattr(self, name)
            if value is not None or name not in {"max_concurrency", "rate_per_s"}:
                _require_at_least(minimum, value, name=name)
        object.__setattr__(self, "outcomes", complete_outcomes(self.outcomes))

    def changed(self, changes: Mapping[str, object]) -> Self:
        """These settings with some values replaced.

        :param changes: names of ``CHANGEABLE`` with their new values, as they came in JSON.
        :raises SettingsError: an unknown name, or a value of another type or out of its bounds.
        """
        unknown = sorted(set(changes) - set(CHANGEABLE))
        if unknown:
            raise SettingsError(f"cannot change {', '.join(unknown)}; one of: {', '.join(CHANGEABLE)}")
        try:
            return replace(self, **dict(changes))  # type: ignore[arg-type]  # values are checked by __post_init__
        except (TypeError, AttributeError) as error:
            raise SettingsError(f"a value has the wrong type: {error}") from error

    def shown(self) -> dict[str, object]:
        """All settings without the secret, for JSON."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "secret"}


CHANGEABLE: Final = tuple(
    item.name
    for item in fields(Settings)
    if item.name not in {"team_id", "key", "secret", "callback_concurrency", "seed"}
)
"""What ``POST /_sandbox/settings`` may change while the sandbox runs."""


class Limits:
    """Concurrent requests, and a bucket of requests that fills by ``rate_per_s``."""

    def __init__(self, settings: Settings) -> None:
        self._max_concurrency = settings.max_concurrency
        self._rate_per_s = settings.rate_per_s
        self._left = self._full
        self._filled_at_s = time.monotonic()

    @property
    def _full(self) -> float:
        """A second's worth, and at least one request: with less a slow rate would never let one through."""
        return max(1.0, self._rate_per_s or 0.0)

    def admits(self, *, in_flight: int) -> bool:
        """Whether a request may come in; if so, it is counted.

        :param in_flight: with this one.
        """
        if self._max_concurrency is not None and in_flight > self._max_concurrency:
            return False
        if self._rate_per_s is None:
            return True
        now_s = time.monotonic()
        self._left = min(self._full, self._left + (now_s - self._filled_at_s) * self._rate_per_s)
        self._filled_at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def complete_outcomes(given: Mapping[str, float]) -> dict[str, float]:
    """Shares for every outcome, adding up to 1; ``success`` takes what is left when it is not given.

    :raises SettingsError: an unknown outcome, a share outside 0..1, or a sum that is not 1.
    """
    if not isinstance(given, Mapping):
        raise SettingsError("outcomes must be an object of shares")
    unknown = sorted(set(given) - set(OUTCOMES))
    if unknown:
        raise SettingsError(f"unknown outcome {', '.join(unknown)}; one of: {', '.join(OUTCOMES)}")
    for name, share in given.items():
        _require_at_least(0, share, name=f"outcome {name}")
    rest = 1.0 - sum(given.values())
    shares = {name: float(given.get(name, 0.0)) for name in OUTCOMES}
    if "success" not in given:
        shares["success"] = rest
    elif not math.isclose(rest, 0.0, abs_tol=1e-9):
        raise SettingsError(f"the shares of the outcomes add up to {1.0 - rest:g}, not to 1")
    if shares["success"] < -1e-9:
        raise SettingsError(f"the shares of the outcomes add up to {1.0 - rest:g}, more than 1")
    return shares


def _require_at_least(minimum: float, value: object, *, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < minimum:
        raise SettingsError(f"{name} must be a number of at least {minimum:g}")
