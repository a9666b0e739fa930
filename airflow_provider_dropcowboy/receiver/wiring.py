"""What a receiver needs: the secrets that prove callbacks and events, and where the ledger is."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import Ticket, keys_of, names_other_key, read_token
from airflow_provider_dropcowboy.api.versions import KEYED
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, utcnow
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.postgres import check_driver
from airflow_provider_dropcowboy.secret import Secret

LOOK_EVERY_S: Final = 60.0
LOOK_AT_MOST_EVERY_S: Final = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is known of the connections whose callbacks are received.

    :param secrets: callback secrets, the retired ones too.
    :param signing_secrets: of webhooks of API v2, by account; the ledger has further ones.
    :param problems: of connections that could not be used, for a person.
    """

    secrets: tuple[Secret, ...]
    ledger_url: sa.URL
    problems: tuple[str, ...] = ()
    signing_secrets: Mapping[str, tuple[Secret, ...]] = field(default_factory=dict)


Find = Callable[[], Wiring]
"""Looks it up; blocks, and raises a ConfigurationError where nothing can be used."""


@dataclass(frozen=True, slots=True)
class Connected:
    """One connection, as far as a receiver needs it.

    :param account: in the ledger's spelling.
    """

    name: str
    secrets: tuple[Secret, ...]
    ledger_url: sa.URL
    account: str = ""
    signing_secrets: tuple[Secret, ...] = ()


def wire(connected: Sequence[Connected], problems: Sequence[str] = ()) -> Wiring:
    """All connections together.

    :raises ConfigurationError: there is none, they have different ledgers, or the ledger's driver is not installed.
    """
    if not connected:
        raise ConfigurationError(" ".join(problems) or "The receiver was given no connection.")
    if len({_place(one.ledger_url) for one in connected}) > 1:
        names = ", ".join(one.name for one in connected)
        raise ConfigurationError(f"The connections {names} have different ledgers: run one receiver for each ledger.")
    check_driver(connected[0].ledger_url)
    unsigned = [
        f"Connection {one.name!r} has no callback_secret, so nothing shows that its callbacks are not forged."
        for one in connected
        if not one.secrets
    ]
    secrets = tuple(secret for one in connected for secret in one.secrets)
    signing: dict[str, tuple[Secret, ...]] = {}
    for one in connected:
        if one.signing_secrets:
            signing[one.account] = (*signing.get(one.account, ()), *one.signing_secrets)
    return Wiring(secrets, connected[0].ledger_url, (*problems, *unsigned), signing)


class Keyring:
    """The secrets' keys, looked up again now and then: a secret may be changed while the receiver runs."""

    def __init__(self, find: Find, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._find = find
        self._clock = clock
        self._keys: Mapping[str, bytes] = {}
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self.wiring: Wiring | None = None
        self.problems: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing tells a true token from a forged token."""
        return not self._keys

    def known_ticket(self, token: str) -> Ticket | None:
        """What a token proves by the secrets that are known; None: nothing."""
        return read_token(token, self._keys)

    async def ticket(self, token: str) -> Ticket | None:
        """What a token proves; None: it is forged."""
        found = read_token(token, self._keys)
        if found is None and names_other_key(token, self._keys):
            await self.look(at_most_every_s=LOOK_AT_MOST_EVERY_S)
            found = read_token(token, self._keys)
        return found

    async def look(self, *, at_most_every_s: float = 0.0) -> None:
        """The connections are looked up, unless they just were; what cannot be found now is kept as it was."""
        async with self._lock:
            now = self._clock.boot_s()
            if now - self._looked_at < at_most_every_s:
                return
            try:
                wiring = await asyncio.to_thread(self._find)
            except Exception as error:  # noqa: BLE001  # a secrets backend may raise anything
                # only our own texts are sure to hold no secret
                told = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
                self._tell((told,))
            else:
                self._tell(wiring.problems)
                self.wiring = wiring
                self._keys = keys_of(wiring.secrets)
            self._looked_at = self._clock.boot_s()

    def _tell(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            if problem not in self.problems:
                log.warning("receiver: %s", problem)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature proves: the account, in the ledger's spelling, that the event is about."""

    account: str


NOT_CONFIGURED: Final = "not_configured"
MAY_BE_NEW: Final = frozenset({NOT_CONFIGURED, "invalid_signature"})
"""Faults that a secret would explain which is not known here yet."""

Secrets = Mapping[str, tuple[Secret, ...]]
"""Signing secrets by account."""


def verify(body: bytes, headers: Mapping[str, str], *secrets: Secrets) -> Signed | str:
    """Whose secret signed these very bytes, a short time ago; else the fault, as the vendor words it.

    Each secret is tried, in constant time.
    """
    check = KEYED.signature_fault
    if check is None:
        return NOT_CONFIGURED
    found: str = NOT_CONFIGURED
    for account in dict.fromkeys(account for some in secrets for account in some):
        own = [secret for some in secrets for secret in some.get(account, ())]
        fault = check(body, headers, secrets=own, at=utcnow())
        if fault is None:
            return Signed(account)
        found = str(fault)
    return found


def _place(url: sa.URL) -> tuple[str | None, int | None, str | None]:
    return url.host, url.port, url.database
