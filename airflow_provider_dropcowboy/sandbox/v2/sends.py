"""The sending routes of API v2: 202 to nearly everything, the memory of idempotency keys, and the verdict later."""

import json
from collections import Counter, deque
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks
from airflow_provider_dropcowboy.sandbox.clock import Clock
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, require_body
from airflow_provider_dropcowboy.sandbox.state import State
from airflow_provider_dropcowboy.sandbox.v2.account import Account
from airflow_provider_dropcowboy.sandbox.v2.protocol import is_account, queued
from airflow_provider_dropcowboy.sandbox.v2.results import Result, drawn_code, fault_of, is_taken
from airflow_provider_dropcowboy.sandbox.v2.webhooks import Webhooks

MEMORY_S: Final = 24 * 3600.0  # API v2, section 3: keys are kept for 24 hours
MAX_KEY_CHARACTERS: Final = 255


@dataclass(slots=True)
class KeyCounts:
    """What became of the requests that had a key.

    :param first: of keys that were not in the memory; each is carried out.
    :param repeated: of keys in the memory with the same request; nothing is sent again.
    :param conflicts: of keys in the memory with another request (3027).
    :param malformed: of keys that are none (3028).
    """

    first: int = 0
    repeated: int = 0
    conflicts: int = 0
    malformed: int = 0


class Keys:
    """The memory of idempotency keys: fingerprints by key, for 24 hours of the sandbox's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """No key was used."""
        self._fingerprints: dict[str, bytes] = {}
        self._ends: deque[tuple[float, str]] = deque()
        self.counts = KeyCounts()

    def shown(self) -> dict[str, int]:
        """The counts, and how many keys are in the memory."""
        return {**asdict(self.counts), "kept": len(self._fingerprints)}

    def code_of(self, ask: Ask) -> int | None:
        """0: carry it out. ``None``: it was carried out before. Else what is wrong with its key."""
        if not ask.key:
            return 0
        if len(ask.key) > MAX_KEY_CHARACTERS or not ask.key.isascii() or not ask.key.isprintable():
            self.counts.malformed += 1
            return 3028
        self._forget_old()
        fingerprint = sha256(f"{ask.route} {json.dumps(ask.body, sort_keys=True)}".encode()).digest()
        known = self._fingerprints.get(ask.key)
        if known is None:
            self._fingerprints[ask.key] = fingerprint
            self._ends.append((self._clock.now_s() + MEMORY_S, ask.key))
            self.counts.first += 1
            return 0
        if known == fingerprint:
            self.counts.repeated += 1
            return None
        self.counts.conflicts += 1
        return 3027

    def _forget_old(self) -> None:
        now_s = self._clock.now_s()
        while self._ends and self._ends[0][0] <= now_s:
            del self._fingerprints[self._ends.popleft()[1]]


class Sends:
    """Answers a send, judges it, and sees to its callback and webhooks."""

    def __init__(
        self,
        *,
        state: State,
        callbacks: Callbacks,
        webhooks: Webhooks,
        account: Account,
        clock: Clock,
    ) -> None:
        self.keys = Keys(clock)
        self._state = state
        self._callbacks = callbacks
        self._webhooks = webhooks
        self._account = account
        self.by_code: Counter[int] = Counter()

    def reset(self) -> None:
        """No send was seen."""
        self.keys.reset()
        self.by_code.clear()

    def send(self, ask: Ask) -> Answer:
        """``POST /rvm`` and ``POST /sms``.

        :raises RefusedError: 401 without any credentials, 400 for a body that is no JSON object; nothing was taken.
        """
        if not ask.headers.get("x-key") and not ask.headers.get("x-secret"):
            raise RefusedError(401, "Unauthorized")
        require_body(ask)
        settings = self._callbacks.settings
        if not is_account(ask, settings):
            self._tell(ask, 3007)
            return queued()
        code = self.keys.code_of(ask)
        if code == 0:
            code = fault_of(ask, settings, media=self._account.media, lines=self._account.lines)
            self._tell(ask, code or drawn_code(ask, settings))
        elif code is not None:
            self._tell(ask, code)
        return queued()

    def _tell(self, ask: Ask, code: int | None) -> None:
        send = self._state.take(ask) if code is None or is_taken(code) else self._state.send(ask)
        if code is None:
            self._callbacks.tell(ask, send, outcome="silent", make_body=dict)
            return
        self.by_code[code] += 1
        result = Result(ask, code, take=send.takes, team_id=self._callbacks.settings.team_id)
        self._callbacks.tell(ask, send, outcome=result.outcome, make_body=result.callback)
        # API v2, section 4: bad credentials are no account's, so no webhook hears of them
        if code != 3007:
            for event, told in result.events():
                self._webhooks.emit(event, told, delay_s=self._callbacks.settings.callback_delay_s)
