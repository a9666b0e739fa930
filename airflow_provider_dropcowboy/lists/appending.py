"""Appending: each call is claimed before it is made, several are under way at once, and what is in doubt is settled."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api.lists import AppendResult
from airflow_provider_dropcowboy.api.wire import Call, Reply, read_reply
from airflow_provider_dropcowboy.errors import AmbiguousError, DropCowboyError, NotTakenError, VendorError
from airflow_provider_dropcowboy.ledger import list_contacts, lists
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.vendor import TRIES, Vendor
from airflow_provider_dropcowboy.lists.wanted import WantedContact

LOOK_EVERY_S: Final = 0.5

log = logging.getLogger(__name__)


class Settled(StrEnum):
    """What a look at the count says of the appends in doubt, all of them together."""

    NOTHING = "nothing was in doubt"
    TAKEN = "appended"
    NOT_TAKEN = "not appended"
    OPEN = "still in doubt"


@dataclass(slots=True)
class Chunk:
    """Contacts of one call.

    :ivar append_id: of its claim; 0: it has none now.
    """

    contacts: list[WantedContact] = field(repr=False)
    append_id: int = 0


@dataclass(slots=True)
class Flight:
    """The calls of one list that are under way, and what came of the others.

    :param pool: of as many threads as calls may be under way.
    :param read_on: reads more of the source; whether there may be more.
    :ivar refused: chunks that were not appended, and keep their claim.
    :ivar freed: chunks that were not appended, and have no claim any more.
    :ivar refusals: in a row.
    :ivar refusal: the last reply after which the vendor wants a pause, until that was made.
    """

    pool: ThreadPoolExecutor
    at_once: int
    read_on: Callable[[], bool]
    under_way: dict[Future[Reply], tuple[Chunk, Call[AppendResult]]] = field(default_factory=dict)
    refused: deque[Chunk] = field(default_factory=deque)
    freed: deque[Chunk] = field(default_factory=deque)
    doubtful: list[Chunk] = field(default_factory=list)
    refusals: int = 0
    refusal: Reply | None = None
    failure: DropCowboyError | None = None

    @property
    def has_room(self) -> bool:
        """Another call may begin, unless one is in doubt: the count could not show which of them was carried out."""
        return not self.doubtful and self.failure is None and len(self.under_way) < self.at_once

    def free(self, chunk: Chunk) -> None:
        """Its claim is gone; it may be claimed anew."""
        chunk.append_id = 0
        self.freed.append(chunk)


class Appender:
    """Appends the missing contacts to a list.

    :ivar appends: calls that it made.
    """

    def __init__(self, arguments: ListArguments, vendor: Vendor) -> None:
        self._arguments = arguments
        self._vendor = vendor
        self._hold = vendor.hold
        self._stop = vendor.stop
        self.appends = 0

    def append(
        self,
        contacts: Iterator[list[WantedContact]],
        known: lists.KnownList,
        *,
        at_once: int,
        holds_unknown: bool = False,
        read_on: Callable[[], bool] = bool,
    ) -> bool:
        """Append contacts; whether the answers to all calls are known.

        :param contacts: one call's worth each; read as calls end.
        :param at_once: calls under way at the same time. What they leave in doubt can be settled only together, so one
            at a time where doubt cannot be mended by building the list anew.
        :param holds_unknown: what stays in doubt is held as unknown, and the rest goes on; otherwise it ends there.
        :param read_on: reads more of the source while all calls are under way; whether there may be more.
        :raises VendorError: not appended; what was claimed for it is free again.
        """
        chunks = map(Chunk, contacts)
        # left only when no call is under way, so that none is when the list is free for another sync
        with ThreadPoolExecutor(at_once, thread_name_prefix="dropcowboy-append") as pool:
            flight = Flight(pool, at_once, read_on)
            while True:
                while (chunk := self._next(flight, chunks)) is not None:
                    self._begin(chunk, flight, known)
                if flight.under_way:
                    self._collect(flight, known)
                    continue
                while flight.refused:  # so that nothing is claimed but what is in doubt
                    chunk = flight.refused.popleft()
                    list_contacts.release_append(self._hold, append_id=chunk.append_id)
                    flight.free(chunk)
                if flight.failure is not None:
                    raise flight.failure
                self._stop.check()
                if flight.doubtful:
                    settled = self.settle(known)
                    if settled is Settled.OPEN and not holds_unknown:
                        return False
                    if settled is Settled.OPEN:
                        self.hold_doubt(known)
                    if settled is Settled.NOT_TAKEN:
                        for chunk in flight.doubtful:
                            flight.free(chunk)
                    flight.doubtful.clear()
                elif not flight.freed:
                    return True

    def settle(self, known: lists.KnownList) -> "Settled":
        """What became of the appends to the list that nobody knew of.

        Nothing may be under way. The count before and after says it: unchanged, or more by exactly all that is in
        doubt. Anything between could be any of them, or a part of one.
        """
        doubtful = list_contacts.open_appends(self._hold.ledger, known.id)
        if not doubtful:
            return Settled.NOTHING
        rows = sum(append.row_count for append in doubtful)
        before = lists.read_again(self._hold.ledger, known).counted
        count = self._vendor.stable_count(known.vendor_id)
        settled = {before: Settled.NOT_TAKEN, before + rows: Settled.TAKEN}.get(
            -1 if count is None else count, Settled.OPEN
        )
        for append in doubtful:
            if settled is Settled.NOT_TAKEN:
                list_contacts.release_append(self._hold, append_id=append.id)
            elif settled is Settled.TAKEN:
                list_contacts.record_append(self._hold, known.id, append_id=append.id, accepted_count=append.row_count)
        log.log(
            logging.WARNING if settled is Settled.OPEN else logging.INFO,
            "contact list %s: %d appends of %d contacts in doubt are %s: it had %d contacts before, and has %s",
            *(known.list_id, len(doubtful), rows, settled, before, "no stable count" if count is None else count),
        )
        return settled

    def hold_doubt(self, known: lists.KnownList) -> None:
        """What stays in doubt is unknown from now on, and what the vendor counts now is what later counts start from.

        :raises NotTakenError: the vendor does not say what it counts.
        """
        count = self._vendor.stable_count(known.vendor_id)
        if count is None:
            raise NotTakenError(
                f"Contact list {known.list_id} has no stable contact_count, so nothing more can be appended safely. "
                "Run it again later."
            )
        doubtful = list_contacts.open_appends(self._hold.ledger, known.id)
        list_contacts.hold_unknown(self._hold, known.id, appends=doubtful, counted=count)

    def start_from_its_count(self, known: lists.KnownList) -> bool:
        """Whether the list holds as many contacts as it must; if not, the ledger counts from what it holds now."""
        found = self._vendor.find(known.vendor_id)
        if found is not None and found.contact_count == known.counted:
            return True
        count = self._vendor.stable_count(known.vendor_id)
        if count is not None and count != known.counted:
            words = "contact list %s holds %d contacts, not %d: somebody else changed it"
            log.warning(words, known.list_id, count, known.counted)
            lists.note(self._hold, known, counted=count)
        return count == known.counted

    def _next(self, flight: Flight, chunks: Iterator[Chunk]) -> Chunk | None:
        """A chunk to append again, or else the next one; None: nothing is to be begun now."""
        if self._stop.reason is not None or not flight.has_room:
            return None
        try:
            if flight.refusal is not None:
                reply, flight.refusal = flight.refusal, None
                self._vendor.pause(flight.refusals - 1, reply)
            again = flight.refused or flight.freed
            return again.popleft() if again else next(chunks, None)
        except DropCowboyError as error:
            # the source's, or an order to stop: raised when what is under way is recorded
            flight.failure = error
            return None

    def _begin(self, chunk: Chunk, flight: Flight, known: lists.KnownList) -> None:
        if chunk.append_id:
            with self._hold.writing("append again"):
                pass
        else:
            rows = [(one.key_digest, one.content_digest, one.contact_key) for one in chunk.contacts]
            chunk.append_id = list_contacts.claim_append(self._hold, known.id, contacts=rows)
        call = self._vendor.routes.append_contacts(
            known.vendor_id,
            self._arguments.fields.names,
            values=[one.values for one in chunk.contacts],
            region=self._arguments.region,
        )
        self._vendor.calls += 1
        self.appends += 1
        future = flight.pool.submit(self._vendor.write_once, call.request, lease_ends=self._hold.lease_ends)
        flight.under_way[future] = (chunk, call)

    def _reads_on(self, flight: Flight) -> bool:
        if self._stop.reason is not None or flight.failure is not None:
            return False
        try:
            return flight.read_on()
        except DropCowboyError as error:
            flight.failure = error
            return False

    def _collect(self, flight: Flight, known: lists.KnownList) -> None:
        reads_on = True
        while not (done := wait(flight.under_way, LOOK_EVERY_S * (not reads_on), FIRST_COMPLETED).done) and reads_on:
            reads_on = self._reads_on(flight)
        for future in done:
            chunk, call = flight.under_way.pop(future)
            reply = future.result()
            try:
                self._record(chunk, read_reply(call, reply), known)
                flight.refusals = 0
            except AmbiguousError as error:
                log.warning("contact list %s: %s", known.list_id, error)
                flight.doubtful.append(chunk)
            except VendorError as error:
                flight.refused.append(chunk)
                if isinstance(error, NotTakenError):  # again, unless that was so too often in a row
                    flight.refusals += 1
                    flight.refusal = reply
                if not isinstance(error, NotTakenError) or flight.refusals >= TRIES:
                    flight.failure = error

    def _record(self, chunk: Chunk, result: AppendResult, known: lists.KnownList) -> None:
        result.check_rows(len(chunk.contacts))
        list_contacts.record_append(
            self._hold,
            known.id,
            append_id=chunk.append_id,
            accepted_count=result.accepted_count,
            rejected=[(chunk.contacts[row.index].key_digest, row.reason) for row in result.rejected],
        )
        log.info("contact list %s: %d contacts appended", known.list_id, result.accepted_count)
