"""Appending: each call is claimed before it is made, several are under way at once, and what is in doubt is settled."""

import logging
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api.lists import AppendResult
from airflow_provider_dropcowboy.api.replies import read_reply
from airflow_provider_dropcowboy.errors import AmbiguousError, DropCowboyError, NotTakenError, VendorError
from airflow_provider_dropcowboy.ledger.list_contacts import (
    Claimed,
    claim_append,
    hold_unknown,
    open_appends,
    record_append,
    release_append,
)
from airflow_provider_dropcowboy.ledger.lists import KnownList, note, read_again
from airflow_provider_dropcowboy.ledger.syncs import Hold
from airflow_provider_dropcowboy.lists.flight import Chunk, Flight
from airflow_provider_dropcowboy.lists.plan import ListPlan
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.lists.vendor import Vendor
from airflow_provider_dropcowboy.lists.wanted import WantedContact

LOOK_EVERY_S: Final = 0.5

log = logging.getLogger(__name__)


class Settled(StrEnum):
    """What a look at the count says of the appends in doubt, all of them together."""

    NOTHING = "nothing was in doubt"
    TAKEN = "taken"
    NOT_TAKEN = "not taken"
    OPEN = "still in doubt"


class Appender:
    """Appends the missing contacts to a list.

    :ivar appends: calls that it made.
    """

    def __init__(self, plan: ListPlan, hold: Hold, *, vendor: Vendor, stop: Stop) -> None:
        self._plan = plan
        self._hold = hold
        self._vendor = vendor
        self._stop = stop
        self.appends = 0

    def append(
        self, contacts: Iterator[list[WantedContact]], known: KnownList, *, at_once: int, holds_unknown: bool = False
    ) -> bool:
        """Whether every contact was asked for, and the answers to all are known.

        :param contacts: one call's worth each; taken from as calls come to their end.
        :param at_once: calls under way at the same time. What they leave in doubt can be settled only together, so one
            at a time where doubt cannot be mended by building the list anew.
        :param holds_unknown: what stays in doubt is held as unknown, and the rest goes on; otherwise it ends there.
        :raises VendorError: surely not taken; what was claimed for it is free again.
        """
        chunks = map(Chunk, contacts)
        with Flight(at_once) as flight:
            while True:
                while (chunk := self._next(flight, chunks)) is not None:
                    self._begin(chunk, flight, known)
                if flight.under_way:
                    self._collect(flight, known)
                    continue
                for chunk in flight.take_refused():  # so that nothing is claimed but what is in doubt
                    release_append(self._hold, append_id=chunk.claim)
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
                    flight.end_doubt(is_taken=settled is not Settled.NOT_TAKEN)
                elif not flight.freed:
                    return True

    def settle(self, known: KnownList) -> "Settled":
        """What became of the appends to the list that nobody knew of.

        Nothing may be under way. The count before and after says it: unchanged, or more by exactly all that is in
        doubt. Anything between could be any of them, or a part of one.
        """
        doubtful = open_appends(self._hold.ledger, known.id)
        if not doubtful:
            return Settled.NOTHING
        rows = sum(append.row_count for append in doubtful)
        before = read_again(self._hold.ledger, known).counted
        count = self._vendor.stable_count(known.vendor_id)
        if count is not None and count in {before, before + rows}:
            for append in doubtful:
                if count == before:
                    release_append(self._hold, append_id=append.id)
                else:
                    record_append(self._hold, known.id, append_id=append.id, accepted_count=append.row_count)
            log.info(
                "contact list %s: %d appends of %d contacts in doubt were %s",
                known.list_id,
                len(doubtful),
                rows,
                "not taken" if count == before else "taken",
            )
            return Settled.NOT_TAKEN if count == before else Settled.TAKEN
        log.warning(
            "contact list %s: %d appends of %d contacts stay in doubt; the list had %d contacts before, and has %s",
            known.list_id,
            len(doubtful),
            rows,
            before,
            "no stable count" if count is None else count,
        )
        return Settled.OPEN

    def hold_doubt(self, known: KnownList) -> None:
        """What stays in doubt is unknown from now on, and what the vendor counts now is what later counts start from.

        :raises NotTakenError: the vendor does not say what it counts.
        """
        count = self._vendor.stable_count(known.vendor_id)
        if count is None:
            raise NotTakenError(
                f"Contact list {known.list_id} has no stable contact_count, so nothing more can be appended safely. "
                "Run it again later."
            )
        hold_unknown(self._hold, known.id, appends=open_appends(self._hold.ledger, known.id), counted=count)

    def start_from_its_count(self, known: KnownList) -> bool:
        """Whether the list holds as many contacts as it must; if not, the ledger counts from what it holds now."""
        found = self._vendor.find(known.vendor_id)
        if found is not None and found.contact_count == known.counted:
            return True
        count = self._vendor.stable_count(known.vendor_id)
        if count is not None and count != known.counted:
            log.warning(
                "contact list %s holds %d contacts, not %d: somebody else changed it",
                known.list_id,
                count,
                known.counted,
            )
            note(self._hold, known, counted=count)
        return count == known.counted

    def _next(self, flight: Flight, chunks: Iterator[Chunk]) -> Chunk | None:
        if self._stop.reason is not None:
            flight.is_ending = True
        if not flight.has_room:
            return None
        try:
            if flight.refusal is not None:
                reply, flight.refusal = flight.refusal, None
                self._vendor.pause(flight.refusals - 1, reply)
            return flight.next_of(chunks)
        except DropCowboyError as error:
            # the source's, or an order to stop: raised when what is under way is recorded
            flight.failure = error
            return None

    def _begin(self, chunk: Chunk, flight: Flight, known: KnownList) -> None:
        if chunk.append_id is None:
            contacts = [Claimed(one.key_digest, one.content_digest, one.contact_key) for one in chunk.contacts]
            chunk.append_id = claim_append(self._hold, known.id, contacts=contacts)
        else:
            with self._hold.writing("append again"):
                pass
        call = self._vendor.routes.append_contacts(
            known.vendor_id,
            self._plan.fields.names,
            values=[one.values for one in chunk.contacts],
            region=self._plan.region,
        )
        self._vendor.calls += 1
        self.appends += 1
        lease_ends = self._hold.lease_ends
        future = flight.pool.submit(self._vendor.write_once, call.request, lease_ends=lease_ends)
        flight.under_way[future] = (chunk, call)

    def _collect(self, flight: Flight, known: KnownList) -> None:
        done, _ = wait(flight.under_way, timeout=LOOK_EVERY_S, return_when=FIRST_COMPLETED)
        for future in done:
            chunk, call = flight.under_way.pop(future)
            reply = future.result()
            try:
                result = read_reply(call, reply)
            except NotTakenError as error:
                flight.refuse(chunk, reply, error)
            except AmbiguousError as error:
                log.warning("%s", error)
                flight.doubtful.append(chunk)
            except VendorError as error:
                flight.fail(chunk, error)
            else:
                self._record(chunk, result, flight=flight, known=known)

    def _record(self, chunk: Chunk, result: AppendResult, *, flight: Flight, known: KnownList) -> None:
        rows = len(chunk.contacts)
        rejected = {row.index: row.reason for row in result.rejected}
        if result.accepted_count + len(rejected) != rows or any(index >= rows for index in rejected):
            log.warning(
                "contact list %s: the answer to an append of %d contacts says %d accepted and names %d rejected",
                known.list_id,
                rows,
                result.accepted_count,
                len(rejected),
            )
            flight.doubtful.append(chunk)
            return
        flight.refusals = 0
        record_append(
            self._hold,
            known.id,
            append_id=chunk.claim,
            accepted_count=result.accepted_count,
            rejected=[(chunk.contacts[index].key_digest, reason) for index, reason in rejected.items()],
        )
        log.info("contact list %s: %d of %d contacts appended", known.list_id, result.accepted_count, rows)
