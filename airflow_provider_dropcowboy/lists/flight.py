"""The appends of one list that are under way, and what came of the others."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from airflow_provider_dropcowboy.api.lists import AppendResult
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Reply
from airflow_provider_dropcowboy.errors import DropCowboyError, NotTakenError, VendorError
from airflow_provider_dropcowboy.lists.vendor import TRIES
from airflow_provider_dropcowboy.lists.wanted import WantedContact


@dataclass(slots=True)
class Chunk:
    """Contacts of one call.

    :ivar append_id: of its claim; None: it has none now.
    """

    contacts: list[WantedContact] = field(repr=False)
    append_id: int | None = None

    @property
    def claim(self) -> int:
        """The append's id in the ledger, of a chunk that is claimed."""
        assert self.append_id is not None
        return self.append_id


class Flight:
    """The calls of one list that are under way, and what came of the others. Afterwards none is under way.

    :ivar refusal: the last reply that the vendor wants to be left alone after, until that was done.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._refused: deque[Chunk] = deque()  # claimed, and surely not taken
        self.pool = ThreadPoolExecutor(at_once, thread_name_prefix="dropcowboy-append")
        self.under_way: dict[Future[Reply], tuple[Chunk, Call[AppendResult]]] = {}
        self.freed: deque[Chunk] = deque()  # without a claim
        self.doubtful: list[Chunk] = []
        self.refusals = 0
        self.refusal: Reply | None = None
        self.failure: DropCowboyError | None = None
        self.is_ending = False

    @property
    def has_room(self) -> bool:
        """Another call may be begun; not beside one in doubt: the count could not be told from it."""
        is_going_on = not self.doubtful and self.failure is None and not self.is_ending
        return is_going_on and len(self.under_way) < self._at_once

    def next_of(self, chunks: Iterator[Chunk]) -> Chunk | None:
        """What is to be asked for again, or else what was not asked for yet."""
        for waiting in (self._refused, self.freed):
            if waiting:
                return waiting.popleft()
        return next(chunks, None)

    def take_refused(self) -> list[Chunk]:
        """Those that were surely not taken, and are not to be asked for again with this claim."""
        refused = list(self._refused)
        self._refused.clear()
        return refused

    def free(self, chunk: Chunk) -> None:
        """Its claim is gone; it may be claimed anew."""
        chunk.append_id = None
        self.freed.append(chunk)

    def end_doubt(self, *, is_taken: bool) -> None:
        """Nothing is in doubt any more; what was not taken is asked for again."""
        for chunk in self.doubtful:
            if not is_taken:
                self.free(chunk)
        self.doubtful.clear()

    def refuse(self, chunk: Chunk, reply: Reply, error: NotTakenError) -> None:
        """It was surely not taken: again, unless that was so too often in a row."""
        self.refusals += 1
        self.refusal = reply
        self._refused.append(chunk)
        if self.refusals >= TRIES:
            self.failure = error

    def fail(self, chunk: Chunk, error: VendorError) -> None:
        """It was refused for a cause that holds for all."""
        self._refused.append(chunk)
        self.failure = error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # waited for, so that no call of this sync is under way when the list is free for another one
        self.pool.shutdown(wait=True, cancel_futures=True)
