"""The conductor of a sync: reads the source, goes on where a dead sync stopped, and brings the list in step."""

import logging
import time
from typing import Final

from airflow_provider_dropcowboy.api.lists import MAX_CONTACTS
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import GuardError, RejectedError, VendorDownError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.health import check_list
from airflow_provider_dropcowboy.ledger.list_contacts import contents, odd_digests, restate_contents
from airflow_provider_dropcowboy.ledger.lists import (
    KnownList,
    ListState,
    add_list,
    current_list,
    list_by_id,
    lists_of,
    lost_names,
    note,
    read_again,
)
from airflow_provider_dropcowboy.ledger.shares import share_of_sync
from airflow_provider_dropcowboy.ledger.syncs import Hold
from airflow_provider_dropcowboy.lists.appending import Appender, Settled
from airflow_provider_dropcowboy.lists.building import Builder
from airflow_provider_dropcowboy.lists.hold import holding, wait_for_connections
from airflow_provider_dropcowboy.lists.people import Rows
from airflow_provider_dropcowboy.lists.plan import ListPlan, Mode, OnChange
from airflow_provider_dropcowboy.lists.reading import Reading
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.lists.summary import ListSummary
from airflow_provider_dropcowboy.lists.vendor import Vendor
from airflow_provider_dropcowboy.lists.wanted import Comparison, Standing, Wanted

MAX_BUILDS: Final = 4
"""In one sync; with a vendor whose answers get lost that often, a later one goes on."""

log = logging.getLogger(__name__)


def sync_list(
    plan: ListPlan, ledger: Ledger, *, rows: Rows, stop: Stop, suppressed: SuppressionList | None = None
) -> ListSummary:
    """The list is in step with the rows.

    Safe to call again and after a crash: each step is written down before it is asked for, and what a dead sync left
    is continued first. Two at once do not happen.

    :param rows: read once.
    :param stop: stops the sync from any thread.
    :param suppressed: numbers that are left out.
    :raises NotTakenError: another sync of the list lives, or the vendor takes nothing now: try again.
    :raises GuardError: the ledger may not know what was appended, or the mirror would lose more than ``max_shrink``;
        nothing was changed.
    :raises DropCowboyError: what stopped the sync, else.
    """
    started_s = time.monotonic()
    account = plan.account.name
    name = _held_name(plan, ledger)
    check_list(ledger, account, name=name, who=plan.who)
    if plan.who.remember is not None:
        plan.who.remember(ledger.ledger_id)
    with (
        holding(ledger, account, name=name, mode=plan.mode, who=plan.who, timeout_s=plan.timeout_s, stop=stop) as hold,
        Wanted() as wanted,
    ):
        log.info("contact list %s (%s, account %s): reading the source", plan.name, plan.mode, account)
        log.info("%s", ledger)
        reading = Reading(plan, ledger, rows=rows, suppressed=suppressed, wanted=wanted, stop=stop)
        sync = _Sync(plan, hold, reading=reading, wanted=wanted, stop=stop)
        current = sync.run()
        summary = sync.summary(current, seconds=time.monotonic() - started_s)
        hold.finish(summary.counts())
    log.log(logging.WARNING if summary.unknown or summary.left_over else logging.INFO, "%s", summary)
    for left_over in summary.left_over:
        log.warning("contact list %r may be left over, empty: delete it at Drop Cowboy", left_over)
    return summary


def _held_name(plan: ListPlan, ledger: Ledger) -> str:
    """Under which name the list is held: one that is given by its id may have a name in the ledger."""
    if plan.list_name is not None:
        return plan.list_name
    assert plan.list_id is not None
    known = list_by_id(ledger, plan.account.name, plan.list_id)
    if known is None:
        return plan.list_id
    if known.state is not ListState.CURRENT:
        raise RejectedError(
            f"Contact list {plan.list_id} was replaced: {known.name!r} is another list by now. Nothing was changed. "
            f"Give list_name={known.name!r}."
        )
    return known.name


class _Sync:
    """One sync that has its list."""

    def __init__(self, plan: ListPlan, hold: Hold, *, reading: Reading, wanted: Wanted, stop: Stop) -> None:
        self._plan = plan
        self._hold = hold
        self._reading = reading
        self._ledger = hold.ledger
        self._wanted = wanted
        self._stop = stop
        self._vendor = Vendor(plan.account, hold, stop=stop, timeout_s=plan.timeout_s, verify=plan.verify)
        self._appender = Appender(plan, hold, vendor=self._vendor, stop=stop)
        self._builder = Builder(hold, vendor=self._vendor, appender=self._appender, wanted=wanted)
        self._first: Comparison | None = None

    def run(self) -> KnownList:
        """The list that is in step now."""
        name = self._hold.sync.name
        if self._plan.list_id is not None or lists_of(self._ledger, self._hold.sync.account, name=name):
            self._reading.finish()  # what is to be done is known at the end of the source; a new list needs not wait
        with self._hold.writing("compare"):
            pass  # reading may have taken long: what another sync did meanwhile is not to be judged by this one
        wait_for_connections(self._hold, limit=self._plan.max_concurrency, stop=self._stop)
        self._builder.continue_dead_sync()
        current = self._grow() if self._plan.mode is Mode.APPEND else None
        current = current or self._rebuild()
        self._builder.delete_retired()
        return read_again(self._ledger, current)

    def summary(self, current: KnownList, *, seconds: float) -> ListSummary:
        """What it came to."""
        tally = self._reading.tally
        outcome = self._wanted.outcome(odd_digests(self._ledger, current.id))
        for reason, count in tally.reasons.most_common(5):
            log.info("invalid rows: %d x %s", count, reason)
        is_mirror = self._plan.mode is Mode.MIRROR
        return ListSummary(
            list_name=current.name,
            list_id=current.list_id,
            contact_count=current.counted,
            read=tally.read,
            added=outcome[Standing.ADDED],
            changed=outcome[Standing.CHANGED],
            unchanged=outcome[Standing.UNCHANGED],
            rejected=outcome[Standing.REJECTED],
            unknown=outcome[Standing.UNKNOWN],
            invalid=tally.invalid,
            suppressed=tally.suppressed,
            duplicate=tally.duplicate,
            unreadable_suppressions=tally.unreadable_suppressions,
            removed=self._first.removed if is_mirror and self._first else 0,
            is_rebuilt=self._builder.is_rebuilt,
            appends=self._appender.appends,
            calls=self._vendor.calls,
            left_over=tuple(lost_names(self._ledger, self._hold.sync.account, name=current.name)),
            seconds=seconds,
        )

    def _grow(self) -> KnownList | None:
        """The list with what was missing appended, one call at a time; None: there is no list yet."""
        current = self._current()
        if current is None:
            return None
        if self._appender.settle(current) is Settled.OPEN:
            self._appender.hold_doubt(current)
        self._compare(current)
        standings = [Standing.ADDED]
        if self._plan.on_change is OnChange.APPEND:
            standings.append(Standing.CHANGED)
        assert self._first is not None
        if any(self._first.standings[standing] for standing in standings):
            self._appender.start_from_its_count(current)
            chunks = self._wanted.chunks(standings, chunk_rows=MAX_CONTACTS)
            self._appender.append(chunks, current, at_once=1, holds_unknown=True)
        return current

    def _rebuild(self) -> KnownList:
        """The list as it is wanted: as it was, with additions, or built anew."""
        at_once = share_of_sync(self._plan.max_concurrency)
        for _ in range(MAX_BUILDS):
            current = self._current()
            if current is not None:
                is_settled = self._appender.settle(current) is not Settled.OPEN
                comparison = self._compare(current)
                if is_settled and current.is_known and self._is_grown(current, comparison, at_once=at_once):
                    self._builder.retire_building()
                    return current
            arriving = None if self._reading.is_over else self._reading.chunks(MAX_CONTACTS)
            built = self._builder.build(replacing=current, at_once=at_once, arriving=arriving)
            if built is not None:
                return built
            self._reading.finish()
            at_once = 1  # with one at a time, each doubt can be settled by itself
        raise VendorDownError(
            f"Contact list {self._plan.name} was built {MAX_BUILDS} times, and each time what came of it stayed in "
            "doubt, or its contact_count was not what was accepted. The list itself is as it was. Run it again later."
        )

    def _is_grown(self, current: KnownList, comparison: Comparison, *, at_once: int) -> bool:
        """Whether the current list is what is wanted, after additions at most."""
        if comparison.is_same:
            return True
        if not comparison.only_grows:
            return False
        chunks = self._wanted.chunks([Standing.ADDED], chunk_rows=MAX_CONTACTS)
        if self._appender.start_from_its_count(current) and self._appender.append(chunks, current, at_once=at_once):
            return True
        note(self._hold, current, is_known=False)
        return False

    def _compare(self, current: KnownList) -> Comparison:
        comparison = self._wanted.compare(contents(self._ledger, current.id))
        restate_contents(self._hold, current.id, contents=self._wanted.restated())
        if self._first is None:
            self._wanted.remember()
            self._first = comparison
            if self._plan.mode is Mode.MIRROR:
                self._guard(current, comparison)
        return comparison

    def _guard(self, current: KnownList, comparison: Comparison) -> None:
        """Refuse a mirror that would lose too much: an empty query result usually means that something broke.

        :raises GuardError: nothing was changed.
        """
        size = max(comparison.inside, current.counted)
        lost = comparison.removed
        if not current.is_known:  # nobody knows who is in it, but how many are
            lost = max(lost, current.counted - self._wanted.count)
        if lost > self._plan.max_shrink * size:
            raise GuardError(
                f"Contact list {self._plan.name} would lose {lost} of its {size} contacts; the task allows "
                f"{self._plan.max_shrink:.0%}. Nothing was changed. Look at the query ({self._wanted.count} rows can "
                "be in the list); if it is right, raise max_shrink for one run."
            )

    def _current(self) -> KnownList | None:
        current = current_list(self._ledger, self._hold.sync.account, name=self._hold.sync.name)
        if current is not None or self._plan.list_id is None:
            return current
        found = self._vendor.find(self._plan.list_id)
        if found is None:
            raise RejectedError(
                f"Drop Cowboy knows no contact list {self._plan.list_id}. Nothing was changed. Correct list_id."
            )
        return add_list(
            self._hold,
            vendor_name=found.list_name or self._hold.sync.name,
            state=ListState.CURRENT,
            list_id=found.list_id,
            is_known=False,
            counted=found.contact_count or 0,
        )
