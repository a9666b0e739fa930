"""Appending: each call is claimed before it is made, several are under way at once, and what is in doubt is settled."""

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api.lists import AppendResult
from airflow_provider_dropcowboy.api.wire import Call, Reply, read_reply
from airflow_provider_dropcowboy.errors import AmbiguousError, DropCowboyError, NotTakenError, VendorError
from airflow_provider_dropcowboy.ledger import lists
from airflow_provider_dropcowboy.ledger.list_contacts import (
    ContactState,
    begin_append,
    claim_append,
    hold_unknown,
    open_appends,
    record_append,
    release_append,
)
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.people import Reading
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

    :param call: with which they are appended.
    :ivar append_id: of its claim; 0: it has none now.
    :ivar is_begun: its request may have been written; else the claim is only prepared.
    """

    contacts: list[WantedContact] = field(repr=False)
    call: Call[AppendResult] = field(repr=False)
    append_id: int = 0
    is_begun: bool = False


@dataclass(slots=True)
class Flight:
    """The calls of one list that are under way, and what came of the others.

    :param pool: of as many threads as calls may be under way.
    :param chunks: to append, once each.
    :param arriving: the source, while it is being read.
    :ivar ready: chunks that have a claim and are not appended: they were refused, or the next one is prepared.
    :ivar freed: chunks that were not appended, and have no claim any more.
    :ivar refusals: in a row.
    :ivar refusal: the last reply after which the vendor wants a pause, until that was made.
    """

    pool: ThreadPoolExecutor
    at_once: int
    chunks: Iterator[Chunk]
    arriving: Reading | None
    under_way: dict[Future[Reply], Chunk] = field(default_factory=dict)
    ready: deque[Chunk] = field(default_factory=deque)
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
        chunk.append_id, chunk.is_begun = 0, False
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
        arriving: Reading | None = None,
    ) -> bool:
        """Append contacts; whether the answers to all calls are known.

        :param contacts: one call's worth each; read as calls end.
        :param at_once: calls under way at the same time. What they leave in doubt can be settled only together, so one
            at a time where doubt cannot be mended by building the list anew.
        :param holds_unknown: what stays in doubt is held as unknown, and the rest goes on; otherwise it ends there.
        :param arriving: the source of the contacts, which is read on while all calls are under way.
        :raises VendorError: not appended; what was claimed for it is free again.
        """
        chunks = (Chunk(some, self._call(some, known)) for some in contacts)
        # left only when no call is under way, so that none is when the list is free for another sync
        with ThreadPoolExecutor(at_once, thread_name_prefix="dropcowboy-append") as pool:
            flight = Flight(pool, at_once, chunks, arriving)
            while True:
                while (chunk := self._next(flight)) is not None:
                    self._begin(chunk, flight, known)
                if flight.under_way:
                    self._collect(flight, known)
                    continue
                while flight.ready:  # so that nothing is claimed but what is in doubt
                    chunk = flight.ready.popleft()
                    release_append(self._hold, append_id=chunk.append_id)
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

    def settle(self, known: lists.KnownList) -> Settled:
        """What became of the appends to the list that nobody knew of; those that a dead sync only prepared are free.

        Nothing may be under way. The count before and after says it: unchanged, or more by exactly all that is in
        doubt. Anything between could be any of them, or a part of one.
        """
        for prepared in open_appends(self._hold.ledger, known.id, state=ContactState.PREPARED):
            release_append(self._hold, append_id=prepared.id)
        doubtful = open_appends(self._hold.ledger, known.id)
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
                release_append(self._hold, append_id=append.id)
            elif settled is Settled.TAKEN:
                record_append(self._hold, known.id, append_id=append.id, accepted_count=append.row_count)
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
        doubtful = open_appends(self._hold.ledger, known.id)
        hold_unknown(self._hold, known.id, appends=doubtful, counted=count)

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

    def _next(self, flight: Flight) -> Chunk | None:
        """A chunk to append again, or else the next one; None: nothing is to be begun now."""
        if self._stop.reason is not None or not flight.has_room:
            return None
        try:
            if flight.refusal is not None:
                reply, flight.refusal = flight.refusal, None
                self._vendor.pause(flight.refusals - 1, reply)
            again = flight.ready or flight.freed
            return again.popleft() if again else next(flight.chunks, None)
        except DropCowboyError as error:
            # the source's, or an order to stop: raised when what is under way is recorded
            flight.failure = error
            return None

    def _begin(self, chunk: Chunk, flight: Flight, known: lists.KnownList) -> None:
        if not chunk.append_id:
            self._claim(chunk, known)
        elif chunk.is_begun:
            with self._hold.writing("append again"):
                pass
        else:
            begin_append(self._hold, append_id=chunk.append_id)
        chunk.is_begun = True
        self._vendor.calls += 1
        self.appends += 1
        future = flight.pool.submit(self._vendor.write_once, chunk.call.request, lease_ends=self._hold.lease_ends)
        flight.under_way[future] = chunk

    def _claim(self, chunk: Chunk, known: lists.KnownList, *, is_prepared: bool = False) -> None:
        rows = [(one.key_digest, one.content_digest, one.contact_key) for one in chunk.contacts]
        chunk.append_id = claim_append(self._hold, known.id, contacts=rows, is_prepared=is_prepared)

    def _call(self, contacts: list[WantedContact], known: lists.KnownList) -> Call[AppendResult]:
        return self._vendor.routes.append_contacts(
            known.vendor_id,
            self._arguments.fields.names,
            values=[one.values for one in contacts],
            region=self._arguments.region,
        )

    def _works_ahead(self, flight: Flight, known: lists.KnownList) -> bool:
        """Do what can be done while all calls are under way; whether there may be more of it."""
        if self._stop.reason is not None or flight.failure is not None:
            return False
        arriving = flight.arriving
        try:
            # one at a time where each doubt is settled by itself: no other append may begin before it is
            has_chunk = arriving is None or arriving.has_chunk(self._vendor.max_rows)
            if flight.at_once > 1 and has_chunk and not (flight.ready or flight.freed or flight.doubtful):
                chunk = next(flight.chunks, None)
                if chunk is not None:
                    self._claim(chunk, known, is_prepared=True)
                    flight.ready.append(chunk)
                    return True
            return arriving is not None and arriving.read_on()
        except DropCowboyError as error:
            flight.failure = error
            return False

    def _collect(self, flight: Flight, known: lists.KnownList) -> None:
        is_busy = True
        while not (done := wait(flight.under_way, LOOK_EVERY_S * (not is_busy), FIRST_COMPLETED).done) and is_busy:
            is_busy = self._works_ahead(flight, known)
        for future in done:
            chunk = flight.under_way.pop(future)
            reply = future.result()
            try:
                self._record(chunk, read_reply(chunk.call, reply), known)
                flight.refusals = 0
            except AmbiguousError as error:
                log.warning("contact list %s: %s", known.list_id, error)
                flight.doubtful.append(chunk)
            except VendorError as error:
                flight.ready.append(chunk)
                if isinstance(error, NotTakenError):  # again, unless that was so too often in a row
                    flight.refusals += 1
                    flight.refusal = reply
                if not isinstance(error, NotTakenError) or flight.refusals >= TRIES:
                    flight.failure = error

    def _record(self, chunk: Chunk, result: AppendResult, known: lists.KnownList) -> None:
        result.check_rows(len(chunk.contacts))
        record_append(
            self._hold,
            known.id,
            append_id=chunk.append_id,
            accepted_count=result.accepted_count,
            rejected=[(chunk.contacts[row.index].key_digest, row.reason) for row in result.rejected],
        )
        log.info("contact list %s: %d contacts appended", known.list_id, result.accepted_count)
