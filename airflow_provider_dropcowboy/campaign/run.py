"""The conductor: begins a run, lets its stages work, and ends it."""

import asyncio
import threading
from collections.abc import Callable

from airflow_provider_dropcowboy.campaign.beginning import begin
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.ending import balance, conclude, leave
from airflow_provider_dropcowboy.campaign.garbage import old_objects_left_alone
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.pipeline import Pipeline, wait_for_connections
from airflow_provider_dropcowboy.campaign.plan import GRACE_S, Plan
from airflow_provider_dropcowboy.campaign.progress import Progress, Watch
from airflow_provider_dropcowboy.campaign.seen import Seen, Unsent
from airflow_provider_dropcowboy.campaign.shared import Shared
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger


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
    run, identity, expected = begin(plan, ledger, rows=rows)
    started_s = clock.boot_s()
    with Seen() as seen, Unsent() as unsent:
        shared = Shared(plan=plan, ledger=ledger, run=run, control=control, unsent=unsent, clock=clock)
        pipeline = Pipeline(
            shared,
            Judge(plan, identity, seen=seen),
            rows=rows,
            suppressed=suppressed,
            progress=Progress(shared.tally, expected=expected, watch=watch, clock=clock),
        )
        failure: BaseException | None = None
        try:
            wait_for_connections(shared)
            _run_in_thread(pipeline, control)
            balance(shared, seen)
        except BaseException as error:
            failure = error
            raise
        finally:
            # first the ledger: a reader that is deep in the user's database may be waited for until this is killed
            leave(shared, failure=failure)
            pipeline.close()
    return conclude(shared, seconds=clock.boot_s() - started_s, tell=tell)


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
        with old_objects_left_alone():
            thread.start()
            thread.join()
    except BaseException:
        control.stop(Order("the task was interrupted", grace_s=GRACE_S))
        if thread.ident is not None:
            thread.join()
        raise
    if failures:
        raise failures[0]
