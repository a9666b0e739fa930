"""A connection between its requests, and the request that shows which answer on it belongs to which request."""

import math
import select
from collections import deque
from collections.abc import Callable
from secrets import token_hex
from typing import Final

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.api.wire import Answer, Reply
from airflow_provider_dropcowboy.transport.http1 import Connection
from airflow_provider_dropcowboy.transport.origin import Origin

NOT_SENT: Final = frozenset({Outcome.RELEASED, Outcome.REJECTED, Outcome.REFUSED})

Read = Callable[[Reply], SendOutcome]
"""What an answer means."""
MAX_SURPLUS: Final = 16
"""So many answers too many are accounted for on one connection."""


class KeptConnection(Connection):
    """A connection between its requests.

    :ivar accepted: keys of the last messages that were accepted on it.
    :ivar kept_s: since when it carries no request, by the clock that counts while the machine is suspended.
    :ivar lost_s: when it ended, by the loop's clock.
    :ivar is_fast: its last acceptance came faster than any other of late.
    :ivar is_hurried: it carries a request although another answer to the one before may still come, and is feared.
    """

    def __init__(self, live: "set[KeptConnection]") -> None:
        super().__init__()
        self._live = live
        self.accepted: deque[object] = deque(maxlen=MAX_SURPLUS)
        self.kept_s = 0.0
        self.lost_s = math.inf
        self.is_fast = self.is_hurried = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is gone."""
        self._live.discard(self)
        self.lost_s = self._loop.time()
        super().connection_lost(exc)

    @property
    def is_fit(self) -> bool:
        """Whether another request may be written: it is open, and carried nothing that nobody asked for."""
        return self.is_open and not self.has_surplus

    def has_bytes(self) -> bool:
        """Whether the system has bytes, or the end, of which the event loop does not know yet."""
        waiting = select.poll()
        waiting.register(self._lowest.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(waiting.poll(0))


class ConnectionCheck:
    """A request that changes nothing, for a path that no API has: its answer shows that all before it have come.

    The connection ends with it. It carries no credentials.
    """

    def __init__(self, origin: Origin, *, read: Read) -> None:
        self._read = read
        self._name = f"no-such-path-{token_hex(8)}"
        head = origin.head("GET", f"/{self._name}", has_headers=False)
        self.request: Final = f"{head}Connection: close\r\n\r\n".encode()

    def accepts(self, answer: Answer | None) -> bool:
        """Whether the answer is the acceptance of a message."""
        return answer is not None and self._read(answer).kind is Outcome.ACCEPTED

    def is_answered_by(self, answer: Answer | None) -> bool:
        """Whether this is the check's own answer: an answer about one message is no answer to it."""
        return answer is not None and (self._name.encode() in answer.body or self._read(answer).kind is Outcome.REFUSED)

    def is_passed_by(self, answer: Answer | None) -> bool:
        """Whether the message before the check was not sent, whether this answer is the check's or the message's."""
        if answer is None:
            return False
        return self._name.encode() in answer.body or self._read(answer).kind in NOT_SENT
