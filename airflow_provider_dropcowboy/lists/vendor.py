"""A list that one sync has alone, and the calls it may make meanwhile. A change is written down before its request, and
made sure of after."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.lists import ContactList
from airflow_provider_dropcowboy.api.reading import error_reason
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, Call, Reply, Request, may_ask_again, read_reply, retry_after_s
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    DropCowboyError,
    InterruptedRunError,
    LedgerError,
    NotTakenError,
    RejectedError,
    VendorDownError,
    VendorError,
)
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.syncs import Held, Hold, Sync, begin_sync
from airflow_provider_dropcowboy.transport.client import Client

TRIES: Final = 8
"""Of one call; then the run fails as retryable, and the next one goes on from there."""

MAX_PAUSE_S: Final = 60.0

COUNT_READS: Final = 6
READS_APART_S: Final = 5.0
"""Between two reads of a contact_count: the vendor does not say how soon it counts what it took."""

BEAT_EVERY_S: Final = 15.0
LOOK_EVERY_S: Final = 5.0
STOP_LOOK_EVERY_S: Final = 0.2

T = TypeVar("T")
log = logging.getLogger(__name__)


class Settings(Protocol):
    """What a sync needs of its connection."""

    @property
    def account(self) -> Account: ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def verify(self) -> bool | str: ...


class Stop:
    """An order to stop, once it is given: a plain assignment, so that a signal's handler never meets a lock."""

    reason: str | None = None

    def order(self, reason: str) -> None:
        """Nothing more is begun; what is under way is awaited and recorded."""
        self.reason = reason

    def check(self) -> None:
        """Nothing, unless the sync is to stop.

        :raises InterruptedRunError: it is.
        """
        if self.reason is not None:
            raise InterruptedRunError(
                f"The sync was stopped: {self.reason}. What was done is written down; run it again for the rest."
            )

    def wait(self, seconds: float) -> None:
        """So long nothing happens.

        :raises InterruptedRunError: the sync is to stop.
        """
        until_s = time.monotonic() + seconds
        while True:
            self.check()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, STOP_LOOK_EVERY_S))


class Vendor:
    """Calls of the sync that has the list. Used by one thread; :meth:`write_once` by any.

    :ivar settings: of the connection.
    :ivar routes: the calls that it makes; ``max_rows`` go with one append.
    :ivar hold: of the list.
    :ivar stop: stops the sync.
    :ivar calls: requests made so far.
    """

    def __init__(self, settings: Settings, hold: Hold, *, stop: Stop) -> None:
        self.settings = settings
        version = vendor_of(settings.account)
        self.routes, self.max_rows = version, version.list_rules.max_rows
        self.hold = hold
        self.stop = stop
        self.calls = 0

    def write_once(self, request: Request, *, lease_ends: Deadline | None) -> Reply:
        """What came of asking once; not written if the lease of its claim is over."""
        of = self.settings
        with Client(of.account, timeout_s=of.timeout_s, verify=of.verify, clock=self.hold.clock) as client:
            return client.call(request, lease_ends=lease_ends)

    def create(self, name: str) -> str | None:
        """The id of a new, empty list; None: the answer was lost, and it may be there.

        :raises VendorError: it was not created.
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
            self.stop.check()
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
        for count in self._counts(list_id):
            if count is not None and count == before:
                return count
            before = count
        return None

    def has_count(self, list_id: str, count: int) -> bool:
        """Whether the list has so many contacts, at last after a while."""
        return count in self._counts(list_id)

    def pause(self, attempt: int, reply: Reply) -> None:
        """Leave the vendor alone for a while: as long as it wants, else longer with each attempt."""
        wanted_s = retry_after_s(reply)
        self.stop.wait(min(2.0**attempt if wanted_s is None else wanted_s, MAX_PAUSE_S))

    def _counts(self, list_id: str) -> Iterator[int | None]:
        """The list's contact_count in several reads apart; none once there is no such list."""
        for read in range(COUNT_READS):
            if read:
                self.stop.wait(READS_APART_S)
            found = self.find(list_id)
            if found is None:
                return
            yield found.contact_count

    def _make_sure(self, call: Call[None], list_id: str, *, name: str | None) -> bool:
        """Carry out a call that may be repeated. False: there is no such list.

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
        """The result of a call, which is repeated as long as it was not carried out."""
        for attempt in range(TRIES):
            self.stop.check()
            with self.hold.writing(step):
                pass  # the step is written down, and the list is still this sync's
            reply = self._ask(call.request, lease_ends=self.hold.lease_ends)
            if not may_ask_again(call.request, reply) or attempt == TRIES - 1:
                break
            self.pause(attempt, reply)
        return reply

    def _ask(self, request: Request, *, lease_ends: Deadline | None = None) -> Reply:
        self.calls += 1
        return self.write_once(request, lease_ends=lease_ends)


@contextmanager
def holding(settings: Settings, ledger: Ledger, *, name: str, mode: str, who: Who, stop: Stop) -> Iterator[Vendor]:
    """Within the block, nobody else changes the list.

    It waits for a dead sync until no call of that can be under way, and does not wait for a live one.

    :param name: of the list, or the id of a list without a name.
    :raises NotTakenError: another sync of the list lives; nothing was changed.
    """
    hold = _begin(settings, ledger, name=name, mode=mode, who=who, stop=stop)
    is_over = threading.Event()
    heart = threading.Thread(target=_beat, args=(hold, is_over, stop), name="dropcowboy-list-heart", daemon=True)
    heart.start()
    try:
        yield Vendor(settings, hold, stop=stop)
    except DropCowboyError as error:
        # of any other error nobody knows what was under way: the list is free when its lease and a call's time are over
        is_over.set()
        try:
            hold.give_up(type(error).__name__)
        except LedgerError:
            log.warning("the ledger did not record the end of this sync; its list is free when its lease is over")
        raise
    finally:
        is_over.set()
        heart.join()


def _begin(settings: Settings, ledger: Ledger, *, name: str, mode: str, who: Who, stop: Stop) -> Hold:
    first: Held | None = None
    while True:
        begun = begin_sync(ledger, settings.account.name, name=name, mode=mode, who=who, timeout_s=settings.timeout_s)
        if isinstance(begun, Sync):
            return Hold(ledger, begun)
        if first is None:
            first = begun
            log.info("contact list %r is held by %s until %s; waiting whether it lives", name, begun.who, begun.until)
        elif (first.sync_id, first.until) != (begun.sync_id, begun.until):
            raise NotTakenError(
                f"Contact list {name!r} is being changed by {begun.who}, which lives. Nothing was changed by this one. "
                "Run it again when that one is done; max_active_runs=1 of the DAG, or a pool of one slot, avoids it."
            )
        left_s = (begun.until - begun.at).total_seconds()
        stop.wait(min(max(left_s, 0.0) + 0.1, LOOK_EVERY_S))


def _beat(hold: Hold, is_over: threading.Event, stop: Stop) -> None:
    while not is_over.wait(BEAT_EVERY_S):
        try:
            hold.beat()
        except InterruptedRunError as error:
            stop.order(str(error))
            return
        except LedgerError:
            log.warning("the ledger did not record a heartbeat of this sync")
