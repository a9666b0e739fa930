"""How a run ends: its counts are checked, the ledger learns of its end, and its user of what it came to."""

import logging
from collections.abc import Callable
from contextlib import suppress

from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.campaign.shared import Shared
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.campaign.warnings import (
    raise_if_not_done,
    say_if_nothing_was_sent,
    warn_of_bans,
    warn_of_doubt,
)
from airflow_provider_dropcowboy.errors import DropCowboyError, LedgerError
from airflow_provider_dropcowboy.ledger.counts import count_run
from airflow_provider_dropcowboy.ledger.runs import end_run, explain_run
from airflow_provider_dropcowboy.ledger.verdicts import count_gone, forget_held, keep_held

log = logging.getLogger(__name__)


def balance(shared: Shared, seen: Seen) -> None:
    """Check that every row stands in one state, by the run's own counts and by the ledger's.

    :raises BalanceError: it does not.
    """
    plan, tally = shared.plan, shared.tally
    shared.not_sent.keep(shared.not_sent.take())
    recorded = count_run(shared.ledger, shared.run)
    tally.balance(recorded, results_may_free=plan.claim_rules.key_lasts is not None)
    if shared.control.order is None:
        _count_waves(shared, seen)
        tally.check_rows()
    else:
        tally.leave_unread()


def _count_waves(shared: Shared, seen: Seen) -> None:
    """Count the rows that earlier waves read and this one did not; remember those that this one held."""
    plan, ledger, run, tally = shared.plan, shared.ledger, shared.run, shared.tally
    if plan.earlier_runs:
        tally.count_gone(count_gone(ledger, run.campaign, run_ids=plan.earlier_runs, met=seen.met))
    if plan.waits_until is None:
        return
    first_run_id = plan.earlier_runs[0] if plan.earlier_runs else run.id
    if plan.waits_for(tally.next_opening):
        keep_held(ledger, run.campaign, shared.unsent.held(), first_run_id=first_run_id)
    else:
        forget_held(ledger, run, first_run_id=first_run_id)


def leave(shared: Shared, *, failure: BaseException | None) -> None:
    """Tell the ledger that the run is over, and with what counts.

    :param failure: what ended it; None: it came to its end, or was stopped by an order.
    """
    plan, tally, order = shared.plan, shared.tally, shared.control.order
    reason = order.reason if order else None if failure is None else f"failed with {type(failure).__name__}"
    try:
        end_run(
            shared.ledger,
            shared.run,
            counts=tally.as_counts(),
            reason=reason,
            next_opening_at=tally.next_opening,
            verdicts=tally.verdicts(),
            unreadable_suppressions=tally.unreadable_suppressions,
            waits=reason is None and plan.waits_for(tally.next_opening),
            openings=tally.openings_by_place(),
            # another's text may hold what it failed on
            error=str(failure) if isinstance(failure, DropCowboyError) else None,
        )
    except LedgerError:
        log.warning("the ledger did not take the end of this run; it counts as dead in a minute")


def conclude(shared: Shared, *, seconds: float, tell: Callable[[Summary], object] | None) -> Summary:
    """The summary, which is logged and told also if the run is to fail.

    :raises DropCowboyError: the run did not come to the end that its user expects.
    """
    plan, tally = shared.plan, shared.tally
    summary = Summary.of(
        tally,
        campaign=shared.run.campaign.name,
        seconds=seconds,
        run_id=shared.run.id,
        calling_hours=plan.hours.version if plan.hours else None,
    )
    if summary.read or shared.control.order is None:  # what stopped it before its first row says all there is to say
        log.info("%s", summary)
    for state in summary.counts:
        if reasons := summary.reasons_of(state):
            log.info("%s: %s", state, reasons)
    if tell is not None:
        tell(summary)
    warn_of_bans(tally)
    warn_of_doubt(summary)
    try:
        raise_if_not_done(plan, tally, shared.control)
        if not plan.is_alert and not plan.waits_for(tally.next_opening):
            say_if_nothing_was_sent(plan, summary)
    except DropCowboyError as error:
        with suppress(LedgerError):  # only its report would have shown it
            explain_run(shared.ledger, shared.run, error=str(error))
        raise
    return summary
