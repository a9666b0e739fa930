"""How the sandbox behaves: its settings and limits, and the faults in force. All are checked when built."""

import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from random import Random
from typing import Final, Self

from airflow_provider_dropcowboy.sandbox.faults import FAULT_KINDS, FaultKind

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

    def is_account(self, login: str, secret: str, *, is_v2: bool) -> bool:
        """Whether these are the account's credentials: the team id, or the key of API v2, and the secret of both."""
        return (login, secret) == (self.key if is_v2 else self.team_id, self.secret)

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


SENDS: Final = ("rvm", "sms")
LISTS: Final = ("create", "show", "rename", "delete", "append")
ROUTES: Final = (*SENDS, *LISTS, "brand", "recording", "media", "pool")
"""Every route of API v1 by a name of its own."""

V2_ROUTES: Final = (
    *("readiness", "medias", "upload", "put_upload", "complete", "voices", "lines", "byoc", "campaigns", "token"),
    *("contacts", "append_contacts", "change_contact", "delete_contact", "consent"),
    *("webhooks", "register", "update_webhook", "delete_webhook", "rotate", "secrets"),
)
"""Those of API v2, beside ``rvm`` and ``sms``."""

ROUTE_GROUPS: Final[Mapping[str, Collection[str]]] = {"sends": SENDS, "lists": LISTS, "any": (*ROUTES, *V2_ROUTES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault and whom it meets.

    :param share: of the requests that match, drawn with the sandbox's seed.
    :param to: only a request with this foreign_id, phone_number, list_id or list_name.
    :param times: so often at most; ``None``: without end.
    :param route: a name of ``ROUTES`` or ``ROUTE_GROUPS``; a leading slash is allowed.
    :param delay_s: instead of the fault's own time (``slow``, ``close_idle``, ``Retry-After``).
    :raises SettingsError: an unknown name or route, or a value out of its bounds.
    """

    name: str
    share: float = 1.0
    to: str | None = None
    times: int | None = None
    route: str = "sends"
    delay_s: float | None = None

    def __post_init__(self) -> None:
        if self.name not in FAULT_KINDS:
            raise SettingsError(f"unknown fault {self.name!r}; one of: {', '.join(sorted(FAULT_KINDS))}")
        object.__setattr__(self, "route", self.route.removeprefix("/"))
        routes = (*ROUTES, *V2_ROUTES, *ROUTE_GROUPS)
        if self.route not in routes:
            raise SettingsError(f"unknown route {self.route!r}; one of: {', '.join(routes)}")
        if self.to is not None and not isinstance(self.to, str):
            raise SettingsError("the to of a fault is a foreign_id, phone_number, list_id or list_name")
        if not 0 <= self.share <= 1:
            raise SettingsError("the share of a fault must be within 0..1")
        if self.times is not None and self.times < 0:
            raise SettingsError("the times of a fault must not be negative")
        if self.delay_s is not None and not 0 <= self.delay_s < 1e6:
            raise SettingsError("the delay_s of a fault must not be negative")

    @classmethod
    def parse(cls, value: object) -> Self:
        """A fault as it came in JSON.

        :raises SettingsError: not an object, a field that no fault has, or a value that it cannot have.
        """
        if not isinstance(value, Mapping):
            raise SettingsError("a fault is an object with a name")
        try:
            return cls(**value)
        except (TypeError, AttributeError) as error:
            raise SettingsError(f"not a fault: {error}") from error

    @property
    def kind(self) -> FaultKind:
        """What it does."""
        return FAULT_KINDS[self.name]

    @property
    def wait_s(self) -> float:
        """Its own time, or its kind's."""
        return self.kind.delay_s if self.delay_s is None else self.delay_s


@dataclass(slots=True)
class _Active:
    fault: Fault
    routes: Collection[str]
    dice: Random
    met: int = 0

    def meets(self, route: str, names: Collection[str]) -> bool:
        fault = self.fault
        if route not in self.routes or (fault.times is not None and self.met >= fault.times):
            return False
        if fault.to is not None and fault.to not in names:
            return False
        return fault.share >= 1.0 or self.dice.random() < fault.share


class Faults:
    """The faults in force; the first that a request meets is its fault."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._active: list[_Active] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """In force from now on, after those already there."""
        for fault in faults:
            routes = ROUTE_GROUPS.get(fault.route, (fault.route,))
            dice = Random(f"{self._seed} {len(self._active)} {fault.name}")  # noqa: S311  # not a secret: repeatable
            self._active.append(_Active(fault, routes, dice))

    def clear(self) -> None:
        """None is in force."""
        self._active.clear()

    def meet(self, route: str, names: Collection[str]) -> Fault | None:
        """The fault that a request meets, and it counts as met."""
        for active in self._active:
            if active.meets(route, names):
                active.met += 1
                return active.fault
        return None

    def shown(self) -> list[dict[str, object]]:
        """Every fault in force, and how often it was met."""
        return [{**asdict(active.fault), "delay_s": active.fault.wait_s, "met": active.met} for active in self._active]


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
