"""What a person does to a list: make it known, name it anew, delete it, settle what is in doubt, look at it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError, RejectedError
from airflow_provider_dropcowboy.ledger import list_contacts, lists
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.syncs import PastSync, last_syncs
from airflow_provider_dropcowboy.lists.vendor import Settings, Stop, Vendor, holding

MAX_ODD: Final = 1_000
"""Of the contacts that are not in a list as they should be, so many are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """A list as the ledger knows it.

    :param odd: those who were refused, or are in doubt; ``MAX_ODD`` at most.
    :param left_over: names of empty lists that may be at the vendor: the answers to their creating were lost.
    """

    current: lists.KnownList
    counts: Counter[list_contacts.ContactState]
    odd: Sequence[list_contacts.Odd]
    left_over: Sequence[str]
    syncs: Sequence[PastSync]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """The lists of one account, in a person's hands."""

    settings: Settings
    ledger: Ledger

    @property
    def _account(self) -> str:
        return self.settings.account.name

    def adopt(self, name: str, list_id: str) -> None:
        """The name stands for a list that was there before; what is in it is not known.

        For a list that the ledger knows already, a person confirms that the ledger knows all that was appended.

        :raises ConfigurationError: the name stands for another list, or the list has another name.
        :raises RejectedError: the vendor knows no such list.
        """
        with self._holding(name) as vendor:
            current = lists.current_list(self.ledger, self._account, name=name)
            if current is not None and current.list_id == list_id:
                lists.free_list(vendor.hold, current)
                return
            if current is not None:
                raise ConfigurationError(
                    f"{name!r} stands for contact list {current.list_id} already. Nothing was changed. "
                    "Rename or delete that one first."
                )
            found = vendor.find(list_id)
            if found is None:
                raise RejectedError(f"Drop Cowboy knows no contact list {list_id}. Nothing was changed.")
            if found.list_name not in (None, name):
                raise ConfigurationError(
                    f"Contact list {list_id} is called {found.list_name!r} at Drop Cowboy, not {name!r}. "
                    "Nothing was changed. Adopt it by its name, or rename it there first."
                )
            known = lists.list_by_id(self.ledger, self._account, list_id)
            if known is not None and known.state is lists.ListState.CURRENT:
                self._name_known(known, name)
                return
            added = lists.add_list(
                vendor.hold,
                vendor_name=name,
                state=lists.ListState.CURRENT,
                list_id=list_id,
                is_known=False,
                counted=found.contact_count or 0,
            )
            lists.free_list(vendor.hold, added)

    def rename(self, name: str, new_name: str) -> None:
        """The list, and what stands for it in the ledger, has the new name.

        :raises ConfigurationError: the ledger knows no such list, or the new name stands for another one.
        """
        with self._holding(name) as vendor, self._holding(new_name):
            current = self._current(name)
            if lists.current_list(self.ledger, self._account, name=new_name) is not None:
                raise ConfigurationError(f"{new_name!r} stands for another contact list. Nothing was changed.")
            if not vendor.rename(current.vendor_id, new_name):
                raise RejectedError(
                    f"Drop Cowboy knows no contact list {current.list_id} any more. Nothing was changed. "
                    f"`dropcowboy list delete {name!r}` makes the ledger forget it."
                )
            lists.rename_in_ledger(vendor.hold, current, new_name)

    def delete(self, name: str) -> list[str]:
        """The list and all that was being built for it are gone, and what was in them is forgotten.

        :returns: the vendor's ids of what was deleted.
        :raises ConfigurationError: the ledger knows no such list.
        """
        with self._holding(name) as vendor:
            found = lists.lists_of(self.ledger, self._account, name=name)
            if not found:
                raise self._unknown(name)
            for known in found:
                if known.state is lists.ListState.CREATING:
                    lists.move_list(vendor.hold, known, lists.ListState.LOST)
                elif known.state is not lists.ListState.RETIRED:
                    lists.move_list(vendor.hold, known, lists.ListState.RETIRED)
            retired = lists.lists_of(self.ledger, self._account, name=name, states=[lists.ListState.RETIRED])
            for known in retired:
                vendor.delete(known.vendor_id)
                list_contacts.forget_contacts(vendor.hold, known)
                lists.move_list(vendor.hold, known, lists.ListState.GONE)
            return [known.vendor_id for known in retired]

    def settle(self, name: str, *, is_inside: bool) -> int:
        """The contacts in doubt are in the list, or are not and may be appended again; how many they were.

        :raises ConfigurationError: the ledger knows no such list.
        """
        with self._holding(name) as vendor:
            return list_contacts.settle_unknown(vendor.hold, self._current(name).id, is_inside=is_inside)

    def view(self, name: str) -> ListView:
        """A list as the ledger knows it.

        :raises ConfigurationError: the ledger knows no such list.
        """
        current = self._current(name)
        lost = lists.lists_of(self.ledger, self._account, name=name, states=[lists.ListState.LOST])
        return ListView(
            current=current,
            counts=list_contacts.count_contacts(self.ledger, current.id),
            odd=list_contacts.odd_contacts(self.ledger, current.id, limit=MAX_ODD),
            left_over=[known.vendor_name for known in lost],
            syncs=last_syncs(self.ledger, self._account, name=name),
        )

    @contextmanager
    def _holding(self, name: str) -> Iterator[Vendor]:
        who = Who(task_id="dropcowboy list")
        with holding(self.settings, self.ledger, name=name, mode="upkeep", who=who, stop=Stop()) as vendor:
            yield vendor
            vendor.hold.finish({})

    def _name_known(self, known: lists.KnownList, name: str) -> None:
        """A list that was appended to by its id has a name from now on."""
        if known.name != known.list_id:
            raise ConfigurationError(
                f"Contact list {known.list_id} is {known.name!r} in the ledger. Nothing was changed. "
                f"`dropcowboy list rename` gives it another name."
            )
        with self._holding(known.name) as vendor:
            lists.rename_in_ledger(vendor.hold, known, name)
            lists.free_list(vendor.hold, known)

    def _current(self, name: str) -> lists.KnownList:
        current = lists.current_list(self.ledger, self._account, name=name)
        if current is None:
            raise self._unknown(name)
        return current

    def _unknown(self, name: str) -> ConfigurationError:
        known = ", ".join(repr(one.name) for one in lists.names_of(self.ledger, self._account)) or "none"
        return ConfigurationError(
            f"The ledger knows no contact list {name!r} of account {self._account}; it knows: {known}. "
            "Nothing was changed. For a list that is at Drop Cowboy, run `dropcowboy list adopt NAME ID`."
        )
