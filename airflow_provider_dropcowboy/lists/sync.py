"""The conductor of a sync: reads the source, goes on where a dead sync stopped, and brings the list in step."""

import gc
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.arguments import wrong
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError, GuardError, RejectedError, VendorDownError
from airflow_provider_dropcowboy.ledger import list_contacts, lists
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.health import check_list
from airflow_provider_dropcowboy.ledger.limits import has_room_for_sync, share_of_sync
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.lists.appending import Appender, Settled
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.building import Builder
from airflow_provider_dropcowboy.lists.people import Reading, Rows
from airflow_provider_dropcowboy.lists.vendor import Settings, Stop, Vendor, holding
from airflow_provider_dropcowboy.lists.wanted import Comparison, ListSummary, Standing, Wanted

MAX_BUILDS: Final = 4
"""In one sync; with a vendor whose answers get lost that often, a later one goes on."""

WAIT_FOR_CONNECTIONS_S: Final = 1.0

YOUNG_OBJECTS: Final = 50_000
"""Made before the garbage collector looks at them; Python's own number is 700."""

log = logging.getLogger(__name__)


def check_version(arguments: ListArguments, account: Account) -> None:
    """Return if the connection's version of the API can bring the list in step; before the source is read.

    :raises ConfigurationError: it cannot; the text names the argument and says what to do.
    """
    vendor = vendor_of(account)
    vendor.list_rules.check(arguments.fields.names)
    if (remedy := vendor.list_rules.only_adds) is None:
        return
    if arguments.is_mirror:
        raise ConfigurationError(f'mode="mirror": {remedy}')
    if arguments.on_change == "append":
        raise wrong(
            "on_change",
            "is append: API v2 has one contact for a number, and fills only its empty fields",
            "Leave it out.",
        )
    vendor.site(account, scope="contacts")


def sync_list(
    arguments: ListArguments,
    settings: Settings,
    ledger: Ledger,
    *,
    rows: Rows,
    stop: Stop,
    suppressed: SuppressionList | None = None,
    who: Who,
) -> ListSummary:
    """The list is in step with the rows.

    Safe to call again and after a crash: each step is written down before its request, and what a dead sync left
    is continued first. Two at once do not happen.

    :param settings: of the connection.
    :param rows: read once.
    :param stop: stops the sync from any thread.
    :param suppressed: numbers that are left out.
    :raises NotTakenError: another sync of the list lives, or the vendor takes nothing now: try again.
    :raises GuardError: the ledger may not know what was appended, or the mirror would lose more than ``max_shrink``;
        nothing was changed.
    :raises DropCowboyError: what stopped the sync, else.
    """
    started_s = time.monotonic()
    check_version(arguments, settings.account)
    account = settings.account.name
    name = _held_name(arguments, ledger, account)
    check_list(ledger, account, name=name, who=who)
    remedy = vendor_of(settings.account).list_rules.only_adds
    if remedy is not None and arguments.list_id is None and lists.current_list(ledger, account, name=name) is None:
        raise ConfigurationError(f"The ledger knows no contact list {name!r}. {remedy}")
    if who.remember is not None:
        who.remember(ledger.ledger_id)
    with (
        _rows_left_alone(),
        holding(settings, ledger, name=name, mode=arguments.mode, who=who, stop=stop) as vendor,
        Wanted() as wanted,
    ):
        log.info("contact list %s (%s, account %s): reading the source", arguments.title, arguments.mode, account)
        log.info("%s", ledger)
        reading = Reading(arguments, vendor, rows=rows, suppressed=suppressed, wanted=wanted)
        sync = _Sync(arguments, vendor, reading=reading, wanted=wanted)
        current = sync.run()
        summary = sync.summary(current, seconds=time.monotonic() - started_s)
        vendor.hold.finish(summary.counts())
    log.log(logging.WARNING if summary.unknown or summary.left_over else logging.INFO, "%s", summary)
    for left_over in summary.left_over:
        log.warning("contact list %r may be left over, empty: delete it at Drop Cowboy", left_over)
    return summary


@contextmanager
def _rows_left_alone() -> Iterator[None]:
    """The garbage collector seldom looks at rows: they have no cycles, and the open appends hold 100,000 objects.

    To go through them again and again is a quarter of a sync's CPU.
    """
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, YOUNG_OBJECTS) if young else 0, *older)  # 0: it is off
    try:
        yield
    finally:
        gc.set_threshold(young, *older)


def _held_name(arguments: ListArguments, ledger: Ledger, account: str) -> str:
    """Under which name the list is held: a list that is given by its id may have a name in the ledger."""
    if arguments.list_name is not None:
        return arguments.list_name
    assert arguments.list_id is not None
    known = lists.list_by_id(ledger, account, arguments.list_id)
    if known is None:
        return arguments.list_id
    if known.state is not lists.ListState.CURRENT:
        raise RejectedError(
            f"Contact list {arguments.list_id} was replaced: {known.name!r} is another list by now. Nothing was "
            f"changed. Give list_name={known.name!r}."
        )
    return known.name


class _Sync:
    """One sync that has its list."""

    def __init__(self, arguments: ListArguments, vendor: Vendor, *, reading: Reading, wanted: Wanted) -> None:
        self._arguments = arguments
        self._vendor = vendor
        self._hold = vendor.hold
        self._ledger = vendor.hold.ledger
        self._name = vendor.hold.sync.name
        self._account = vendor.hold.sync.account
        self._reading = reading
        self._wanted = wanted
        self._appender = Appender(arguments, vendor)
        self._builder = Builder(vendor, appender=self._appender, wanted=wanted)
        self._first: Comparison | None = None

    def run(self) -> lists.KnownList:
        """The list that is in step now."""
        if self._arguments.list_id is not None or lists.lists_of(self._ledger, self._account, name=self._name):
            self._reading.finish()  # what is to be done is known at the end of the source; a new list needs not wait
        with self._hold.writing("compare"):
            pass  # reading may be slow: what another sync did meanwhile is not to be judged by this one
        self._wait_for_connections()
        self._builder.continue_dead_sync()
        current = (None if self._arguments.is_mirror else self._grow()) or self._rebuild()
        self._builder.delete_retired()
        return lists.read_again(self._ledger, current)

    def summary(self, current: lists.KnownList, *, seconds: float) -> ListSummary:
        """What it came to."""
        reading = self._reading
        outcome = self._wanted.outcome(list_contacts.odd_digests(self._ledger, current.id))
        for reason, count in reading.reasons.most_common(5):
            log.info("invalid rows: %d x %s", count, reason)
        return ListSummary(
            list_name=current.name,
            list_id=current.list_id,
            contact_count=current.counted,
            read=reading.counts.total(),
            **{standing.value: outcome[standing] for standing in Standing},
            **{name: reading.counts[name] for name in ("invalid", "suppressed", "duplicate")},
            unreadable_suppressions=reading.unreadable_suppressions,
            removed=self._first.removed if self._arguments.is_mirror and self._first else 0,
            is_rebuilt=self._builder.is_rebuilt,
            appends=self._appender.appends,
            calls=self._vendor.calls,
            left_over=tuple(lists.lost_names(self._ledger, self._account, name=current.name)),
            seconds=seconds,
        )

    def _wait_for_connections(self) -> None:
        """The runs of the account have given back the connections that this sync may use.

        :raises InterruptedRunError: the sync is to stop.
        """
        is_told, limit = False, self._vendor.settings.max_concurrency
        while not has_room_for_sync(self._ledger, self._account, self._hold.sync.id, limit=limit):
            if not is_told:
                log.info("others use all %d connections of the account; waiting until they return some", limit)
                is_told = True
            self._vendor.stop.wait(WAIT_FOR_CONNECTIONS_S)

    def _grow(self) -> lists.KnownList | None:
        """The list with what was missing appended, one call at a time; None: there is no list yet."""
        current = self._current()
        if current is None:
            return None
        if self._appender.settle(current) is Settled.OPEN:
            self._appender.hold_doubt(current)
        self._compare(current)
        standings = [Standing.ADDED]
        if self._arguments.on_change == "append":
            standings.append(Standing.CHANGED)
        assert self._first is not None
        if any(self._first.standings[standing] for standing in standings):
            self._appender.start_from_its_count(current)
            chunks = self._wanted.chunks(standings, chunk_rows=self._vendor.max_rows)
            self._appender.append(chunks, current, at_once=1, holds_unknown=True)
        return current

    def _rebuild(self) -> lists.KnownList:
        """The list as it is wanted: as it was, with additions, or built anew."""
        at_once = share_of_sync(self._vendor.settings.max_concurrency)
        for _ in range(MAX_BUILDS):
            current = self._current()
            if current is not None:
                is_settled = self._appender.settle(current) is not Settled.OPEN
                comparison = self._compare(current)
                if is_settled and current.is_known and self._is_grown(current, comparison, at_once=at_once):
                    self._builder.retire_building()
                    return current
            arriving = None if self._reading.is_over else self._reading
            built = self._builder.build(replacing=current, at_once=at_once, arriving=arriving)
            if built is not None:
                return built
            self._reading.finish()
            at_once = 1  # with one at a time, each doubt can be settled by itself
        raise VendorDownError(
            f"Contact list {self._arguments.title} was built {MAX_BUILDS} times, and each time what came of it stayed "
            "in doubt, or its contact_count was not what was accepted. The list itself is as it was. Run it again "
            "later."
        )

    def _is_grown(self, current: lists.KnownList, comparison: Comparison, *, at_once: int) -> bool:
        """Whether the current list is what is wanted, after additions at most."""
        if comparison.is_same:
            return True
        if not comparison.only_grows:
            return False
        chunks = self._wanted.chunks([Standing.ADDED], chunk_rows=self._vendor.max_rows)
        if self._appender.start_from_its_count(current) and self._appender.append(chunks, current, at_once=at_once):
            return True
        lists.note(self._hold, current, is_known=False)
        return False

    def _compare(self, current: lists.KnownList) -> Comparison:
        comparison = self._wanted.compare(list_contacts.contents(self._ledger, current.id))
        list_contacts.restate_contents(self._hold, current.id, contents=self._wanted.restated())
        if self._first is None:
            self._wanted.remember()
            self._first = comparison
            if self._arguments.is_mirror:
                self._guard(current, comparison)
        return comparison

    def _guard(self, current: lists.KnownList, comparison: Comparison) -> None:
        """Refuse a mirror that would lose too much: an empty query result usually means that something broke.

        :raises GuardError: nothing was changed.
        """
        size = max(comparison.inside, current.counted)
        lost = comparison.removed
        if not current.is_known:  # nobody knows who is in it, but how many are
            lost = max(lost, current.counted - self._wanted.count)
        if lost > self._arguments.max_shrink * size:
            raise GuardError(
                f"Contact list {self._arguments.title} would lose {lost} of its {size} contacts; max_shrink allows "
                f"{self._arguments.max_shrink:.0%}. Nothing was changed. Look at the query ({self._wanted.count} rows "
                "can be in the list); if it is right, raise max_shrink for one run."
            )

    def _current(self) -> lists.KnownList | None:
        current = lists.current_list(self._ledger, self._account, name=self._name)
        if current is not None or self._arguments.list_id is None:
            return current
        found = self._vendor.find(self._arguments.list_id)
        if found is None:
            raise RejectedError(
                f"Drop Cowboy knows no contact list {self._arguments.list_id}. Nothing was changed. Correct list_id."
            )
        return lists.add_list(
            self._hold,
            vendor_name=found.list_name or self._name,
            state=lists.ListState.CURRENT,
            list_id=found.list_id,
            is_known=False,
            counted=found.contact_count or 0,
        )
