"""How a run ends: its counts are checked, and the ledger and its user learn what it came to."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.shared import Shared
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.errors import (
    BalanceError,
    DropCowboyError,
    InterruptedRunError,
    LedgerError,
    NothingAcceptedError,
    NothingSentError,
    NotTakenError,
)
from airflow_provider_dropcowboy.ledger.counts import count_run
from airflow_provider_dropcowboy.ledger.runs import end_run, explain_run
from airflow_provider_dropcowboy.ledger.verdicts import count_gone, forget_held, keep_held
from airflow_provider_dropcowboy.screening.screen import NO_LEGAL_CONSENT, STATE_BAN
from airflow_provider_dropcowboy.states import BINDING, State

log = logging.getLogger(__name__)


def balance(shared: Shared) -> None:
    """Check that every row stands in one state, by the run's own counts and by the ledger's.

    :raises BalanceError: it does not.
    """
    plan, tally = shared.plan, shared.tally
    shared.not_sent.keep(shared.not_sent.take())
    recorded = count_run(shared.ledger, shared.run)
    tally.balance(recorded, results_may_free=plan.claim_rules.key_lasts is not None)
    if shared.control.order is None:
        _count_waves(shared)
        tally.check_rows()
    else:
        tally.leave_unread()


def _count_waves(shared: Shared) -> None:
    """Count the rows that earlier waves read and this one did not; remember those that this one held."""
    plan, ledger, run, tally = shared.plan, shared.ledger, shared.run, shared.tally
    if plan.earlier_runs:
        tally.count_gone(count_gone(ledger, run.campaign, run_ids=plan.earlier_runs, met=shared.seen.met))
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
    """The summary, which is logged and handed to ``tell`` also if the run is to fail.

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
    warn_of_doubt(summary, is_repeated=plan.claim_rules.key_lasts is not None)
    try:
        raise_if_not_done(plan, tally, shared.control)
        if not plan.is_alert and not plan.waits_for(tally.next_opening):
            say_if_nothing_was_sent(plan, summary)
    except DropCowboyError as error:
        with suppress(LedgerError):  # only its report would have shown it
            explain_run(shared.ledger, shared.run, error=str(error))
        raise
    return summary


def warn_of_bans(tally: Tally) -> None:
    """After the last send: how many were not called since the law of their place forbids it, or wants consent."""
    counts = {
        prefix: sum(
            count
            for (state, reason), count in tally.reasons.items()
            if state is State.SUPPRESSED and reason.startswith(f"{prefix}: ")
        )
        for prefix in (STATE_BAN, NO_LEGAL_CONSENT)
    }
    if counts[STATE_BAN]:
        log.warning(
            "state_ban: %d people were not called, since their states ban prerecorded marketing calls. "
            'If this is none, set message_kind="informational"',
            counts[STATE_BAN],
        )
    if counts[NO_LEGAL_CONSENT]:
        log.warning(
            "no consent: %d people were not called, since the law of their place wants consent that their rows do not "
            "name. Name the column with the kinds of consent (express, written, relationship) in consent_column",
            counts[NO_LEGAL_CONSENT],
        )


def warn_of_doubt(summary: Summary, *, is_repeated: bool) -> None:
    """After the last send: the messages that may or may not have been accepted.

    :param is_repeated: the next run repeats them, while the vendor knows their keys.
    """
    further = "the next run repeats those whose keys still hold" if is_repeated else "no run sends them again"
    if count := summary.counts.get(State.UNKNOWN, 0):
        log.warning(
            "in doubt: %d messages may have been accepted or not, and %s. A callback settles them; `dropcowboy unknown "
            "list '%s'` names them and says from when a person may",
            count,
            further,
            summary.campaign,
        )


def say_if_nothing_was_sent(plan: Plan, summary: Summary) -> None:
    """The last line of a run that sent nothing: the reason, and what to do.

    :raises NothingSentError: no message of the campaign was sent, and the plan asks for a failure then.
    """
    if summary.asked:
        return
    if is_all_done(summary):
        log.info("Nothing new to send: %d messages of the campaign were sent before.", summary.already)
        return
    text = f"Nothing was sent: {why_nothing(summary)}"
    if plan.fail_if_nothing_sent and not summary.already:
        raise NothingSentError(text)
    log.warning("%s", text)


def is_all_done(summary: Summary) -> bool:
    """Whether a rerun has nothing left to send, which is in order."""
    return summary.already > 0 and not any(summary.counts.get(state) for state in (State.CAPPED, State.HELD))


def why_nothing(summary: Summary) -> str:
    """What stopped every row of a run, by state and reason, and what to do about the commonest."""
    if summary.read == 0:
        return "the source has no rows. Check its query or file, and that it is filled before this task runs."
    states = [
        f"{count} {state}" + (f" ({reasons})" if (reasons := summary.reasons_of(state)) else "")
        for state, count in summary.counts.items()
    ]
    rows = "1 row was read" if summary.read == 1 else f"{summary.read} rows were read"
    return f"{rows}: {', '.join(states)}. {_remedy(summary)}".strip()


def _remedy(summary: Summary) -> str:
    commonest = max(_REMEDIES, key=lambda state: summary.counts.get(state, 0))
    if not summary.counts.get(commonest):
        return ""
    if commonest is State.CAPPED and "same content" in summary.reasons_of(commonest):
        return (
            "The same content does not go to a number again within repeat_window. While you develop, set "
            "repeat_window=None, or change the content."
        )
    if commonest is State.HELD and summary.next_opening is not None:
        opening = summary.next_opening.isoformat(timespec="minutes")
        return f'Run it again at {opening}, when the first calling window opens, or set on_held="wait" in the task.'
    return _REMEDIES[commonest]


_REMEDIES: Final = {
    State.INVALID: "Correct these rows, or check phone_column, key_column, and region.",
    State.SUPPRESSED: "Check opt_in_column, consent_column, message_kind, and the suppression list.",
    State.CAPPED: "They can be contacted later, when attempts_window is over, or with another max_attempts.",
    State.HELD: "Raise limit or budget_usd to send more.",
}


def raise_if_not_done(plan: Plan, tally: Tally, control: Control) -> None:
    """Fail a run that did not come to the end that its user expects.

    :raises DropCowboyError: what it is, with what to do.
    """
    if tally.conflicts:
        raise BalanceError(
            f"{tally.conflicts} answers contradict what the ledger says of their sends; its history names them "
            "(`dropcowboy report`). Stop sending (`dropcowboy pause --all`) until it is known why."
        )
    if control.order is not None:
        raise control.order.error or InterruptedRunError(
            f"The run was stopped: {control.order.reason}. All that was sent is recorded; run it again for the rest."
        )
    released = tally.own[State.RELEASED]
    if released:
        raise NotTakenError(
            f"{released} of {tally.own.total()} messages were not accepted, most often with "
            f'"{_commonest(tally, State.RELEASED)}". Run it again: these are sent, and nobody else is contacted twice.'
        )
    if not plan.is_alert and not plan.waits_for(tally.next_opening):
        _raise_if_nothing_accepted(tally)


def _raise_if_nothing_accepted(tally: Tally) -> None:
    rejected, unknown = tally.states[State.REJECTED], tally.states[State.UNKNOWN]
    if rejected + unknown == 0 or any(tally.states[state] for state in BINDING - {State.UNKNOWN}):
        return
    parts = [f"None of {rejected + unknown} messages was accepted."]
    if rejected:
        parts.append(
            f'{rejected} were rejected, most often with "{_commonest(tally, State.REJECTED)}". Correct what the reason '
            "names, then clear the task: a rejected message is sent again if its request is another one."
        )
    if unknown:
        parts.append(
            f'{unknown} are in doubt, most often with "{_commonest(tally, State.UNKNOWN)}". They are not sent again '
            "until it is known that they were not accepted: `dropcowboy unknown list` names them."
        )
    raise NothingAcceptedError(" ".join(parts))


def _commonest(tally: Tally, state: State) -> str:
    counts = {reason: count for (of, reason), count in tally.reasons.items() if of is state}
    return max(counts, key=counts.__getitem__, default="no reason")
