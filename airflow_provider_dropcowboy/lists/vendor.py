"""The vendor's list routes for one sync: a change is written down before it is asked for, and made sure of after."""

import logging
from typing import Final, TypeVar

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import error_reason
from airflow_provider_dropcowboy.api.lists import ContactList
from airflow_provider_dropcowboy.api.replies import Call, may_ask_again, read_reply, wanted_pause_s
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, Reply, Request
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    RejectedError,
    VendorDownError,
    VendorError,
)
from airflow_provider_dropcowboy.ledger.syncs import Hold
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.transport.client import Client

TRIES: Final = 8
"""Of one call; then the run fails as retryable, and the next one goes on from there."""

MAX_PAUSE_S: Final = 60.0

COUNT_READS: Final = 6
READS_APART_S: Final = 5.0
"""Between two reads of a contact_count: the vendor does not say how soon it counts what it took."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Vendor:
    """Calls of one sync. Used by one thread; :meth:`write_once` by any.

    :ivar calls: requests made so far.
    :ivar routes: the calls that it makes.
    """

    def __init__(
        self, account: Account, hold: Hold, *, stop: Stop, timeout_s: float = 30.0, verify: bool | str = True
    ) -> None:
        self._account = account
        self.routes = vendor_of(account).lists
        self._timeout_s = timeout_s
        self._verify = verify
        self._hold = hold
        self._stop = stop
        self.calls = 0

    def write_once(self, request: Request, *, lease_ends: Deadline | None) -> Reply:
        """What came of asking once; not written if the lease of its claim is over."""
        with Client(self._account, timeout_s=self._timeout_s, verify=self._verify, clock=self._hold.clock) as client:
            return client.call(request, lease_ends=lease_ends)

    def create(self, name: str) -> str | None:
        """The id of a new, empty list; None: the answer was lost, and it may be there.

        :raises VendorError: it was surely not created.
        """
        call = self.routes.create_list(name)
        try:
            return read_reply(call, self._change(call, step="create")).list_id
        except AmbiguousError as error:
            log.info("contact list %r: %s", name, error)
            return None

    def find(self, list_id: str) -> ContactList | None:
        """The list; None: the vendor says that there is none.

        :raises VendorDownError: it could not be read.
        """
        call = self.routes.get_list(list_id)
        failure: VendorError | None = None
        for attempt in range(TRIES):
            self._stop.check()
            reply = self._ask(call.request)
            # a proxy's 404 page proves nothing; the vendor's own has a reason
            if isinstance(reply, Answer) and reply.status == 404 and error_reason(reply.body):
                return None
            try:
                return read_reply(call, reply)
            except AuthenticationError:
                raise
            except VendorError as error:
                failure = error
            self.pause(attempt, reply)
        raise VendorDownError(
            f"Contact list {list_id} could not be read in {TRIES} tries, at the end because: {failure} "
            "What was done is written down; run it again for the rest."
        ) from failure

    def rename(self, list_id: str, name: str) -> bool:
        """The list has this name; False: there is no such list."""
        return self._make_sure(self.routes.rename_list(list_id, name), list_id, name=name)

    def delete(self, list_id: str) -> None:
        """The list is gone."""
        self._make_sure(self.routes.delete_list(list_id), list_id, name=None)

    def stable_count(self, list_id: str) -> int | None:
        """The list's contact_count, equal in two reads apart; None: it never was, or there is no such list."""
        before: int | None = None
        for read in range(COUNT_READS):
            if read:
                self._stop.wait(READS_APART_S)
            found = self.find(list_id)
            if found is None:
                return None
            if found.contact_count is not None and found.contact_count == before:
                return before
            before = found.contact_count
        return None

    def has_count(self, list_id: str, count: int) -> bool:
        """Whether the list has so many contacts, at last after a while."""
        for read in range(COUNT_READS):
            if read:
                self._stop.wait(READS_APART_S)
            found = self.find(list_id)
            if found is None:
                return False
            if found.contact_count == count:
                return True
        return False

    def pause(self, attempt: int, reply: Reply) -> None:
        """Leave the vendor alone for a while: as long as it wants, else longer with each attempt."""
        wanted_s = wanted_pause_s(reply)
        self._stop.wait(min(2.0**attempt if wanted_s is None else wanted_s, MAX_PAUSE_S))

    def _make_sure(self, call: Call[None], list_id: str, *, name: str | None) -> bool:
        """The call was carried out, for one that may be repeated: False if there is no such list.

        :param name: the list's afterwards; None: it is gone.
        """
        failure: VendorError | None = None
        for attempt in range(TRIES):
            reply = self._change(call, step=f"{call.request.method} {list_id}")
            try:
                read_reply(call, reply)
            except AuthenticationError:
                raise
            except (AmbiguousError, RejectedError) as error:
                failure = error
            else:
                return True
            found = self.find(list_id)
            if found is None:
                return False
            if found.list_name == name:
                return True
            if isinstance(failure, RejectedError) and error_reason(reply.body if isinstance(reply, Answer) else b""):
                raise failure
            self.pause(attempt, reply)
        raise VendorDownError(
            f"{call.request.method} of contact list {list_id} was not carried out in {TRIES} tries, at the end "
            f"because: {failure} It is written down; run it again, and it is done first."
        ) from failure

    def _change(self, call: Call[T], *, step: str) -> Reply:
        """What came of asking, again as long as it was surely not carried out."""
        for attempt in range(TRIES):
            self._stop.check()
            with self._hold.writing(step):
                pass  # the step is written down, and the list is still this sync's
            reply = self._ask(call.request, lease_ends=self._hold.lease_ends)
            if not may_ask_again(call.request, reply) or attempt == TRIES - 1:
                break
            self.pause(attempt, reply)
        return reply

    def _ask(self, request: Request, *, lease_ends: Deadline | None = None) -> Reply:
        self.calls += 1
        return self.write_once(request, lease_ends=lease_ends)
