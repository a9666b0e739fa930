"""The states of a row, and the only moves between them."""

from datetime import timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a row stands: a verdict of one run, or a state of a send that the ledger keeps."""

    READY = "ready"  # dry run only: would be sent
    INVALID = "invalid"
    SUPPRESSED = "suppressed"
    DUPLICATE = "duplicate"
    CAPPED = "capped"
    HELD = "held"
    WITHDRAWN = "withdrawn"

    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RELEASED = "released"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"

    __hash__ = str.__hash__  # that of an Enum is a function of Python's, and each row is counted by its state


VERDICTS = frozenset({State.INVALID, State.SUPPRESSED, State.DUPLICATE, State.CAPPED, State.HELD, State.WITHDRAWN})
"""Facts of one run: the next run decides again."""

MOVES: dict[State, frozenset[State]] = {
    # claimed: the next request of its run has a claim of its own; so has a resend after its run died
    State.CLAIMED: frozenset(
        {State.CLAIMED, State.ACCEPTED, State.REJECTED, State.RELEASED, State.UNKNOWN, State.DELIVERED, State.FAILED}
    ),
    # a late answer of its owner still counts, and so does a person's or a resend's claim
    State.UNKNOWN: frozenset(
        {State.ACCEPTED, State.REJECTED, State.RELEASED, State.CLAIMED, State.DELIVERED, State.FAILED}
    ),
    # unknown: its owner finds that the answer may have been another request's; rejected, released: API v2 answers a
    # request before it looks at it, and says in a result that it sent nothing
    State.ACCEPTED: frozenset(
        {State.DELIVERED, State.FAILED, State.EXPIRED, State.UNKNOWN, State.REJECTED, State.RELEASED}
    ),
    State.EXPIRED: frozenset({State.DELIVERED, State.FAILED, State.REJECTED, State.RELEASED}),
    # a callback proves that the answer was misread
    State.RELEASED: frozenset({State.CLAIMED, State.DELIVERED, State.FAILED}),
    State.REJECTED: frozenset({State.CLAIMED, State.DELIVERED, State.FAILED, State.RELEASED}),
    State.DELIVERED: frozenset(),
    # rejected, released: a webhook of API v2 said first that it failed; only the callback of the same drop frees it
    State.FAILED: frozenset({State.REJECTED, State.RELEASED}),
}
"""From a state of a send to the states it may move to; what is not here never happens."""

ASKED = frozenset(MOVES)
"""States of a row of the ledger."""

CONTACTED = ASKED - {State.CLAIMED, State.RELEASED}
"""Sent: Drop Cowboy accepted or refused the request, or may have accepted it. Log, XCom, command line and report page
count these alike."""

OPEN = frozenset({State.RELEASED, State.REJECTED})
"""Drop Cowboy did not accept the message: such a send binds neither its key nor its number."""

BINDING = ASKED - OPEN
"""Drop Cowboy may have accepted the message: no run sends it again."""

SENT = BINDING - {State.CLAIMED, State.UNKNOWN}
"""Drop Cowboy accepted the message. A result may still free it (API v2): then the next run claims it.

A run counts such a row by one look, and screens, claims and sends nothing of it. ``CLAIMED`` and ``UNKNOWN`` are not
among them: their owner's answer may come, and a resend may be due.
"""

LEASE: Final = timedelta(minutes=15)
"""How long a claim lets its owner write: from before the commit, by the owner's wall clock and boot clock (``Clock``),
whichever ends it first."""
DOUBT_LASTS: Final = LEASE + timedelta(hours=1)
"""So long after a claim nobody else settles or resends it: its owner may still write, and what is written can still sit
in a queue on the vendor's side."""


def may_move(source: State, target: State) -> bool:
    """Whether a send in ``source`` may become ``target``."""
    return target in MOVES.get(source, frozenset())


def sources_of(target: State) -> frozenset[State]:
    """States from which a send may become ``target``: the WHERE of a compare-and-set."""
    return frozenset(source for source, targets in MOVES.items() if target in targets)
