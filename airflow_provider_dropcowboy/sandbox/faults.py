"""Faults by name: which one a request meets. What each does to a connection is in ``endings``."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Final, Self

from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, Answer, json_answer
from airflow_provider_dropcowboy.sandbox.settings import SettingsError

HTML: Final = "text/html; charset=utf-8"
TRAP_PATH: Final = "/_sandbox/trap"

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


class Ending(StrEnum):
    """How a request that meets a fault ends."""

    ANSWER = "the fault's own answer"
    RETRY_DATE = "the fault's own answer, with Retry-After as a date"
    RETRY_SECONDS = "the fault's own answer, with Retry-After in seconds"
    CLOSE = "the connection is closed without a byte"
    RESET = "the connection is reset without a byte"
    TRUNCATE = "an answer that breaks off"
    HANG = "no answer until the client leaves"
    LATE = "the route's answer, later"
    UNASKED = "the route's answer, and after a time one more answer without a request"
    UNASKED_NEXT = "the route's answer; as the connection's next request arrives, one more answer without a request"
    CLOSE_IDLE = "the route's answer; the connection is closed when it has been idle for a time"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does.

    :param is_taken: the request is carried out first, as if nothing were wrong.
    :param delay_s: where the ending has a time in it; a fault may set another one.
    """

    is_taken: bool
    ending: Ending
    answer: Answer = field(default=Answer(500))
    delay_s: float = 0.0


def _page(status: int, title: str) -> Answer:
    return Answer(status, f"<html><head><title>{title}</title></head><body>{title}</body></html>".encode(), HTML)


def _kinds() -> dict[str, FaultKind]:
    too_many = json_answer({"error": "Too many requests"}, status=429)
    idle_too_long = replace(json_answer({"error": "Request timeout"}, status=408), headers={"Connection": "close"})
    kinds = {
        "lose_answer": FaultKind(True, Ending.CLOSE),
        "drop_request": FaultKind(False, Ending.CLOSE),
        "reset_after": FaultKind(True, Ending.RESET),
        "reset_before": FaultKind(False, Ending.RESET),
        "truncated_after": FaultKind(True, Ending.TRUNCATE),
        "hang_after": FaultKind(True, Ending.HANG),
        "slow": FaultKind(True, Ending.LATE, delay_s=2.0),
        "close_idle": FaultKind(True, Ending.CLOSE_IDLE, delay_s=2.0),
        "unasked_429": FaultKind(True, Ending.UNASKED, too_many),
        "unasked_200": FaultKind(True, Ending.UNASKED, QUEUED),
        "unasked_408": FaultKind(True, Ending.UNASKED, idle_too_long, delay_s=0.2),
        "unasked_429_next": FaultKind(True, Ending.UNASKED_NEXT, too_many),
        "unasked_200_next": FaultKind(True, Ending.UNASKED_NEXT, QUEUED),
        "odd_json_after": FaultKind(True, Ending.ANSWER, json_answer(["ok"])),
        "other_words_after": FaultKind(True, Ending.ANSWER, json_answer({"success": True})),
        "429": FaultKind(False, Ending.ANSWER, too_many),
        "429_seconds": FaultKind(False, Ending.RETRY_SECONDS, too_many, 1.0),
        "429_date": FaultKind(False, Ending.RETRY_DATE, too_many, 1.0),
        "redirect_302": FaultKind(False, Ending.ANSWER, Answer(302, headers={"Location": TRAP_PATH})),
        "redirect_307": FaultKind(False, Ending.ANSWER, Answer(307, headers={"Location": TRAP_PATH})),
        "not_found_html": FaultKind(False, Ending.ANSWER, _page(404, "Not Found")),
    }
    for name, status, reason in (
        ("unauthorized", 401, "Unauthorized"),
        ("payment_required", 402, "Insufficient funds"),
        ("forbidden", 403, "Forbidden"),
        ("timeout_408", 408, "Request timeout"),
        ("conflict", 409, "Conflict"),
        ("invalid_400", 400, "Invalid message"),
        ("too_large_413", 413, "Request entity too large"),
        ("unprocessable_422", 422, "Unprocessable entity"),
    ):
        kinds[name] = FaultKind(False, Ending.ANSWER, json_answer({"error": reason}, status=status))
    for suffix, is_taken in (("before", False), ("after", True)):
        kinds[f"html_200_{suffix}"] = FaultKind(is_taken, Ending.ANSWER, _page(200, "Please wait"))
        kinds[f"500_{suffix}"] = FaultKind(
            is_taken, Ending.ANSWER, json_answer({"error": "Internal server error"}, status=500)
        )
        for status, title in ((502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")):
            kinds[f"{status}_{suffix}"] = FaultKind(is_taken, Ending.ANSWER, _page(status, title))
        kinds[f"503_retry_after_{suffix}"] = FaultKind(
            is_taken, Ending.RETRY_SECONDS, _page(503, "Service Unavailable"), 1.0
        )
    return kinds


FAULT_KINDS: Final[Mapping[str, FaultKind]] = _kinds()
"""Every fault by its name; ``_after`` means that the request was carried out all the same."""


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
