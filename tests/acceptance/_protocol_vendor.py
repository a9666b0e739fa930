"""A vendor in memory, and a witness who sees every request and what the vendor truly did with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.states import BINDING, State

FINAL: Final = frozenset({State.DELIVERED, State.FAILED})


class Fate(Enum):
    """What becomes of one request: whether the vendor takes the message, and what comes back.

    :param is_proof: what comes back proves that the message was not taken. Named here by hand: it is what the package's
        own reading of answers is held against.
    """

    ACCEPTED = (True, False, Answer(200, b'{"status": "queued"}'))
    LOST_AFTER_TAKING = (True, False, Broken("connection reset"))
    LOST_BEFORE_TAKING = (False, False, Broken("time-out"))
    LIMITED = (False, True, Answer(429, retry_after="1"))
    UNAVAILABLE_THOUGH_TAKEN = (True, False, Answer(503, b"backend fetch failed", retry_after="5"))
    UNAVAILABLE = (False, False, Answer(503, b"try later", retry_after="5"))
    REJECTED = (False, True, Answer(400, b'{"error": "Invalid brand_id"}'))
    UNAUTHORIZED = (False, True, Answer(401, b'{"error": "Invalid credentials"}'))
    NOT_CONNECTED = (False, True, NotWritten("connection refused"))

    def __init__(self, is_taken: bool, is_proof: bool, reply: Reply) -> None:
        self.is_taken = is_taken
        self.is_proof = is_proof
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Take:
    """A message that the vendor took.

    :param attempt: as the token of its callback has it: of the request, or of its key.
    """

    foreign_id: str
    phone: Phone
    number_digest: str
    attempt: int


class Witness:
    """Holds promise P1 against what truly happened, whatever ledger and runs believe."""

    def __init__(self) -> None:
        self.takes: list[Take] = []
        self._in_doubt: set[str] = set()
        self._numbers_in_doubt: dict[str, str] = {}
        self._resent: dict[str, int] = {}

    def has_taken(self, foreign_id: str) -> bool:
        """Whether the vendor took the message by now: what a person learns who asks there."""
        return any(take.foreign_id == foreign_id for take in self.takes)

    def has_read(self, foreign_id: str) -> bool:
        """Whether the vendor may have answered that it accepted the message."""
        return self.has_taken(foreign_id)

    def see_resend(self, foreign_id: str, attempt: int) -> None:
        """The user allowed one more request for a message in doubt; its number stays as doubtful as it was."""
        assert foreign_id not in self._resent, "P1: a message was resent twice"
        self._resent[foreign_id] = attempt
        self._in_doubt.discard(foreign_id)

    def see_settled_as_not_sent(self, foreign_id: str) -> None:
        """A person said so, and it was true at that moment."""
        self._resent.pop(foreign_id, None)
        self._in_doubt.discard(foreign_id)
        self._numbers_in_doubt = {
            number: holder for number, holder in self._numbers_in_doubt.items() if holder != foreign_id
        }

    def see_request(self, claim: Claim, fate: Fate) -> None:
        """One request reaches the vendor, or is lost on the way."""
        foreign_id, number = claim.message.foreign_id, claim.message.number_digest
        take = Take(foreign_id, claim.message.phone, number, claim.attempt)
        if fate.is_taken:
            others = [other for other in self.takes if foreign_id == other.foreign_id or number == other.number_digest]
            assert all(self._is_resend_of(take, other) for other in others), "P1: the vendor took a message twice"
            self.takes.append(take)
        assert foreign_id not in self._in_doubt, "P1: asked again without proof that the first was not taken"
        assert self._numbers_in_doubt.get(number, foreign_id) == foreign_id, "P1: asked for a number that is in doubt"
        if not fate.is_proof:
            self._in_doubt.add(foreign_id)
            self._numbers_in_doubt[number] = foreign_id

    def check(self, rows: Mapping[str, Any]) -> None:
        """What was taken is in the ledger and binds, and nothing else is said to be taken.

        :param rows: of the ledger, by foreign_id.
        """
        for row in rows.values():
            is_said_to_be_taken = row.state in {State.ACCEPTED, State.EXPIRED, *FINAL}
            assert not is_said_to_be_taken or self.has_read(row.foreign_id), f"P2: {row.state}, and never taken"
        owned = {row.number_digest for row in rows.values() if row.owns_number}
        for take in self.takes:
            assert take.foreign_id in rows, "P2: a message was taken that is not in the ledger"
            assert rows[take.foreign_id].state in BINDING, "P1: a message that was taken may be asked for again"
            assert take.number_digest in owned, "P1: a number that was called may be asked for again"

    def _is_resend_of(self, take: Take, other: Take) -> bool:
        return take.foreign_id == other.foreign_id and other.attempt < self._resent.get(take.foreign_id, 0)
