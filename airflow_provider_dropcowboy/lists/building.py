"""Building a list under a name of its own, and putting it in the place of the old one: never half, never lost."""

import logging
import secrets
from itertools import chain, islice
from typing import Final

from airflow_provider_dropcowboy.errors import VendorDownError, VendorError
from airflow_provider_dropcowboy.ledger import list_contacts, lists
from airflow_provider_dropcowboy.lists.appending import Appender, Settled
from airflow_provider_dropcowboy.lists.people import Reading
from airflow_provider_dropcowboy.lists.vendor import TRIES, Vendor
from airflow_provider_dropcowboy.lists.wanted import Standing, Wanted

log = logging.getLogger(__name__)

_MARK_BYTES: Final = 4


class Builder:
    """Builds lists of one name, and continues what a dead sync began."""

    def __init__(self, vendor: Vendor, *, appender: Appender, wanted: Wanted) -> None:
        self._hold = vendor.hold
        self._vendor = vendor
        self._appender = appender
        self._wanted = wanted
        self.is_rebuilt = False

    def continue_dead_sync(self) -> None:
        """A swap that was begun is done; a list whose creating was begun is named as left over."""
        for known in self._lists(lists.ListState.CREATING):
            self._lose(known)
        for known in self._lists(lists.ListState.SWAPPING):
            log.info("contact list %s was being put in place of %r; going on there", known.list_id, known.name)
            self._put_in_place(known)

    def build(
        self, *, replacing: lists.KnownList | None, at_once: int, arriving: Reading | None = None
    ) -> lists.KnownList | None:
        """A list of exactly what is wanted stands for the name; None: it came to nothing, and another one is needed.

        What a dead sync built is continued, if all in it is wanted still.

        :param replacing: the current list, which is there until the new one is whole.
        :param arriving: the source, if it is still being read; only where there is no list of the name at all.
        """
        self.is_rebuilt = replacing is not None
        if arriving is not None:
            # read before anything is created: most faults of a source show in its first rows
            chunks = arriving.chunks(self._vendor.max_rows)
            chunks = chain(list(islice(chunks, 1)), chunks)
            building = self._create()
        else:
            building = self._unfinished() or self._begin_anew()
            chunks = self._wanted.chunks([Standing.ADDED], chunk_rows=self._vendor.max_rows)
        if not self._appender.append(chunks, building, at_once=at_once, arriving=arriving):
            self._retire(building)
            return None
        counted = lists.read_again(self._hold.ledger, building).counted
        if not self._vendor.has_count(building.vendor_id, counted):
            log.warning("contact list %s does not hold the %d contacts it accepted", building.list_id, counted)
            self._retire(building)
            return None
        lists.move_list(self._hold, building, lists.ListState.SWAPPING)
        return self._put_in_place(lists.read_again(self._hold.ledger, building))

    def retire_building(self) -> None:
        """What was being built is not needed."""
        for known in self._lists(lists.ListState.BUILDING):
            self._retire(known)

    def delete_retired(self) -> None:
        """Lists that were replaced, or came to nothing, are gone."""
        for known in self._lists(lists.ListState.RETIRED):
            self._vendor.delete(known.vendor_id)
            list_contacts.forget_contacts(self._hold, known)
            lists.move_list(self._hold, known, lists.ListState.GONE)

    def _unfinished(self) -> lists.KnownList | None:
        """A list that a dead sync was building, if what is missing in it can be appended; then it was compared."""
        for building in self._lists(lists.ListState.BUILDING):
            if self._vendor.find(building.vendor_id) is not None:
                is_settled = self._appender.settle(building) is not Settled.OPEN
                comparison = self._wanted.compare(list_contacts.contents(self._hold.ledger, building.id))
                if is_settled and comparison.only_grows:
                    log.info("going on with contact list %s, which holds %d", building.list_id, comparison.inside)
                    return building
            self._retire(building)
        return None

    def _begin_anew(self) -> lists.KnownList:
        building = self._create()
        self._wanted.compare(())
        return building

    def _create(self) -> lists.KnownList:
        for _ in range(TRIES):
            name = self._mark("being built")
            creating = lists.add_list(self._hold, vendor_name=name)
            try:
                list_id = self._vendor.create(name)
            except VendorError:
                lists.move_list(self._hold, creating, lists.ListState.GONE)  # it was not created
                raise
            if list_id is not None:
                lists.move_list(self._hold, creating, lists.ListState.BUILDING, list_id=list_id)
                return lists.read_again(self._hold.ledger, creating)
            self._lose(creating)
        raise VendorDownError(
            f"The answers to creating a contact list were lost {TRIES} times. The list itself is as it was. "
            "The log names those that may be left over, empty. Run it again later."
        )

    def _put_in_place(self, new: lists.KnownList) -> lists.KnownList | None:
        """The new list has the name; each of these steps may be done again, and by another sync."""
        old = lists.current_list(self._hold.ledger, self._hold.sync.account, name=new.name)
        if old is not None:
            # before the name is given to another one; if the old list is gone already, so much the better
            aside = self._mark("old") if old.vendor_name == new.name else old.vendor_name
            lists.note(self._hold, old, vendor_name=aside)
            self._vendor.rename(old.vendor_id, aside)
        if not self._vendor.rename(new.vendor_id, new.name):
            log.warning("contact list %s was deleted by somebody else while it was put in place", new.list_id)
            if old is not None:
                lists.note(self._hold, old, is_known=False)  # it lost its name: only another one can be put in place
            lists.move_list(self._hold, new, lists.ListState.GONE)
            list_contacts.forget_contacts(self._hold, new)
            return None
        lists.swap_lists(self._hold, new=new, old=old, name=new.name)
        return lists.read_again(self._hold.ledger, new)

    def _lose(self, creating: lists.KnownList) -> None:
        lists.move_list(self._hold, creating, lists.ListState.LOST)
        log.warning(
            "the answer to creating contact list %r was lost: if it is there, it is empty; delete it",
            creating.vendor_name,
        )

    def _retire(self, building: lists.KnownList) -> None:
        lists.move_list(self._hold, building, lists.ListState.RETIRED)
        self.delete_retired()

    def _mark(self, what: str) -> str:
        return f"{self._hold.sync.name} ({what}, {secrets.token_hex(_MARK_BYTES)})"

    def _lists(self, state: lists.ListState) -> list[lists.KnownList]:
        sync = self._hold.sync
        return lists.lists_of(self._hold.ledger, sync.account, name=sync.name, states=[state])
