"""The conductor: the one place that knows all stages, and calls them in their order."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from operator import length_hint
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.pipeline import Pipeline
from airflow_provider_dropcowboy.campaign.plan import GRACE_S, Plan
from airflow_provider_dropcowboy.campaign.progress import Watch
from airflow_provider_dropcowboy.campaign.seen import Seen, Unsent
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.campaign.warnings import (
    check_ready,
    raise_if_not_done,
    say_if_nothing_was_sent,
    warn_of_bans,
    warn_of_doubt,
    warn_of_plan,
)
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import (
    DropCowboyError,
    InterruptedRunError,
    LedgerError,
    NothingSentError,
    StaleRunError,
)
from airflow_provider_dropcowboy.ledger.counts import count_run, has_sends
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.health import check_campaign
from airflow_provider_dropcowboy.ledger.held import count_gone, forget_held, keep_held
from airflow_provider_dropcowboy.ledger.patience import begin_patiently, bind_patiently
from airflow_provider_dropcowboy.ledger.runs import (
    Campaign,
    Run,
    beat,
    end_run,
    explain_run,
)
from airflow_provider_dropcowboy.ledger.shares import seek_share
from airflow_provider_dropcowboy.ledger.tasks import rows_read_last
from airflow_provider_dropcowboy.transport.pacing import Pace

WAIT_FOR_CONNECTIONS_S: Final = 1.0

log = logging.getLogger(__name__)


def run_campaign(
    plan: Plan,
    ledger: Ledger,
    *,
    rows: Rows,
    control: Control,
    suppressed: SuppressionList | None = None,
    tell: Callable[[Summary], object] | None = None,
    watch: Watch | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Summary:
    """Ask for every row that was not asked for, and write down what came of it.

    Safe to call again, at the same time, and after a crash: what was asked, or may have been, is not asked again.

    :param rows: of contacts, read once, in a thread of their own.
    :param suppressed: numbers that are not contacted; read whole before the first contact.
    :param control: stops the run from any thread.
    :param tell: hears the summary also of a run that is to fail.
    :param watch: is told about once a second where the run stands, in a thread of the run's; it must be quick.
    :param clock: of this machine; the leases of claims and the end of calling hours go by it.
    :returns: counts that add up to the rows read.
    :raises NotTakenError: some messages were surely not taken: try again.
    :raises NothingSentError: nothing was sent, and the plan asks for a failure then.
    :raises NothingAcceptedError: each message was refused or is in doubt, however few they are.
    :raises DropCowboyError: what stopped the run, else.
    """
    account = plan.account.name
    prefix = Identity(ledger.key, account, plan.campaign, plan.channel).prefix
    check_campaign(
        ledger,
        account,
        name=plan.campaign,
        channel=plan.channel,
        prefix=prefix,
        who=plan.who,
        earlier_runs=plan.earlier_runs,
    )
    check_ready(plan)
    campaign = bind_patiently(ledger, account, name=plan.campaign, channel=plan.channel, prefix=prefix)
    identity = Identity.of(ledger.key, campaign)
    if plan.who.remember is not None:  # not before the ledger knows the campaign: else a crash here looks like a loss
        plan.who.remember(ledger.ledger_id)
    _check_staleness(plan, ledger, campaign)
    log.info(
        "campaign %s (%s, account %s): %s",
        campaign.name,
        campaign.channel,
        campaign.account,
        "new: it has contacted nobody yet"
        if campaign.is_new
        else "known: contacts that it has contacted are not contacted again",
    )
    log.info("%s", ledger)
    if not plan.is_alert:
        warn_of_plan(plan)
    expected = length_hint(rows) or rows_read_last(ledger, plan.who)
    run = begin_patiently(ledger, campaign, who=plan.who, wanted=plan.concurrency, terms=plan.terms)
    started_s = clock.boot_s()
    tally = Tally()
    with Seen() as seen, Unsent() as unsent:
        pace = Pace(0, rate_per_s=plan.rate_per_s)
        pipeline = Pipeline(
            plan,
            ledger,
            run=run,
            rows=rows,
            suppressed=suppressed,
            judge=Judge(plan, identity, seen=seen),
            unsent=unsent,
            pace=pace,
            control=control,
            tally=tally,
            expected=expected,
            watch=watch,
            clock=clock,
        )
        failure: BaseException | None = None
        try:
            pace.limit = _wait_for_connections(ledger, run, plan=plan, control=control)
            _run_in_thread(pipeline, control)
            tally.balance(count_run(ledger, run), results_may_free=plan.claim_rules.key_lasts is not None)
            if control.order is None:
                _count_waves(plan, ledger, run, tally=tally, seen=seen, unsent=unsent)
                tally.check_rows()
            else:
                tally.leave_unread()
        except BaseException as error:
            failure = error
            raise
        finally:
            # first the ledger: a reader that is deep in the user's database may be waited for until this is killed
            _leave(plan, ledger, run, tally=tally, order=control.order, failure=failure)
            pipeline.close()
    summary = Summary.of(
        tally,
        campaign=campaign.name,
        seconds=clock.boot_s() - started_s,
        run_id=run.id,
        calling_hours=plan.hours.version if plan.hours else None,
    )
    log.info("%s", summary)
    for state in summary.counts:
        if reasons := summary.reasons_of(state):
            log.info("%s: %s", state, reasons)
    if tell is not None:
        tell(summary)
    warn_of_bans(tally)
    warn_of_doubt(summary)
    try:
        raise_if_not_done(plan, tally, control)
        if not plan.is_alert and not plan.waits_for(tally.next_opening):
            say_if_nothing_was_sent(plan, summary)
    except DropCowboyError as error:
        with suppress(LedgerError):  # only its report would have shown it
            explain_run(ledger, run, error=str(error))
        raise
    return summary


def _check_staleness(plan: Plan, ledger: Ledger, campaign: Campaign) -> None:
    """Return if the run is not too old: a catch-up does not send last year's voicemails. Before the first claim.

    A run that is skipped is kept in the ledger with its reason, so that its page says why.

    :raises StaleRunError: too old; ``is_begun`` says whether anyone of the campaign was contacted.
    :raises NothingSentError: too old, nobody was contacted, and the plan asks for a failure then.
    """
    if plan.max_staleness is None or plan.stale_from is None:
        return
    with ledger.reading() as connection:
        at = now(connection)
    if at - plan.stale_from <= plan.max_staleness:
        return
    is_begun = has_sends(ledger, campaign)
    age = timedelta(seconds=round((at - plan.stale_from).total_seconds()))
    why = f"this run was due {age} ago, and max_staleness is {plan.max_staleness}. "
    remedy = (
        'To send anyway, trigger the run with the conf {"dropcowboy_allow_stale": true}, or set max_staleness=None.'
    )
    if is_begun:
        text = f"The rest of the campaign was not sent: {why}Some of its contacts were contacted before. {remedy}"
        raise StaleRunError(text, is_begun=True)
    text = f"Nothing was sent: {why}{remedy}"
    skipped = begin_patiently(ledger, campaign, who=plan.who, wanted=0)
    end_run(ledger, skipped, counts={}, reason=text)
    if plan.fail_if_nothing_sent:
        raise NothingSentError(text)
    log.warning("%s", text)
    raise StaleRunError(text, is_begun=False)


def _wait_for_connections(ledger: Ledger, run: Run, *, plan: Plan, control: Control) -> int:
    """The run's share of the account's connections, as soon as it is one at least."""
    is_told = False
    while True:
        connections = seek_share(ledger, run, limit=plan.max_concurrency, using=0)
        if connections:
            return connections
        if not is_told:
            log.info("other runs use all %d connections of the account; waiting for a share", plan.max_concurrency)
            is_told = True
        if control.wait(WAIT_FOR_CONNECTIONS_S):
            raise InterruptedRunError("The run was stopped while it waited for a free connection. Nothing was sent.")
        beat(ledger, run, counts={})


def _count_waves(plan: Plan, ledger: Ledger, run: Run, *, tally: Tally, seen: Seen, unsent: Unsent) -> None:
    """Count the rows that earlier waves read and this one did not; remember those that this one held."""
    if plan.earlier_runs:
        tally.count_gone(count_gone(ledger, run.campaign, run_ids=plan.earlier_runs, met=seen.met))
    if plan.waits_until is None:
        return
    first_run_id = plan.earlier_runs[0] if plan.earlier_runs else run.id
    if plan.waits_for(tally.next_opening):
        keep_held(ledger, run.campaign, unsent.held(), first_run_id=first_run_id)
    else:
        forget_held(ledger, run, first_run_id=first_run_id)


def _leave(
    plan: Plan, ledger: Ledger, run: Run, *, tally: Tally, order: Order | None, failure: BaseException | None
) -> None:
    reason = order.reason if order else None if failure is None else f"failed with {type(failure).__name__}"
    try:
        end_run(
            ledger,
            run,
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


def _run_in_thread(pipeline: Pipeline, control: Control) -> None:
    """The engine has a thread of its own: ``execution_timeout`` and signals raise anywhere in the main one."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(pipeline.run())
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            failures.append(error)

    thread = threading.Thread(target=work, name="dropcowboy-engine")
    try:
        with _old_objects_left_alone():
            thread.start()
            thread.join()
    except BaseException:
        control.stop(Order("the task was interrupted", grace_s=GRACE_S))
        if thread.ident is not None:
            thread.join()
        raise
    if failures:
        raise failures[0]


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """The garbage collector looks only at what is made within the block.

    A full collection over all that Airflow has loaded holds every thread for some 40 ms, again and again.
    """
    is_frozen = gc.get_freeze_count() > 0  # Airflow's executor does it, to share memory with its tasks
    gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()
