"""What someone should look at, said once a run: warnings, and the error with which a run fails that is not done."""

import logging
from typing import Final

from airflow_provider_dropcowboy.api.content import count_outside_gsm
from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.forecast import Forecast
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.errors import (
    BalanceError,
    InterruptedRunError,
    NothingAcceptedError,
    NothingSentError,
    NotTakenError,
)
from airflow_provider_dropcowboy.screening.screen import NO_LEGAL_CONSENT, STATE_BAN
from airflow_provider_dropcowboy.states import BINDING, State

_TOLL_FREE: Final = ("800", "822", "833", "844", "855", "866", "877", "880", "881", "882", "883", "888")  # NANPA

log = logging.getLogger(__name__)


def warn_of_plan(plan: Plan) -> None:
    """Before the first send: what the task asks for and might not want."""
    if not plan.callback_url:
        log.warning(
            "no callback_url, neither in the task nor in the connection: what becomes of accepted messages, and of "
            "those in doubt, will not be known"
        )
    if plan.hours is None:
        log.warning('calling_hours="off": people are called at any hour, and in states that ban such calls')
    match plan.template:
        case RvmTemplate(forwarding_number=str(number)) if number.startswith("+1") and number[2:5] in _TOLL_FREE:
            log.warning("forwarding_number is toll-free, which the vendor advises against: use a local number")
        case SmsTemplate(sms_body=body) if count := sum(map(count_outside_gsm, body.literals)):
            log.warning(
                "sms_body has %d characters outside GSM 03.38 (such as curly quotes or emoji): a text with one of them "
                "goes out in parts of 70 characters, which may cost more",
                count,
            )
        case _:
            pass


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


def warn_of_doubt(summary: Summary) -> None:
    """After the last send: whom nobody knows to have been called or not."""
    if count := summary.counts.get(State.UNKNOWN, 0):
        log.warning(
            "in doubt: %d messages may have been accepted or not, and no run sends them again. A callback "
            "settles them; `dropcowboy unknown list '%s'` names them and says from when a person may",
            count,
            summary.campaign,
        )


def say_if_nothing_was_sent(plan: Plan, summary: Summary) -> None:
    """The last line of a run that sent nothing: the reason, and what to do.

    :raises NothingSentError: no message of the campaign was sent, and the plan asks for a failure then.
    """
    if summary.asked:
        return
    if _is_all_done(summary):
        log.info("Nothing new to send: %d messages of the campaign were sent before.", summary.already)
        return
    text = f"Nothing was sent: {_why_nothing(summary)}"
    if plan.fail_if_nothing_sent and not summary.already:
        raise NothingSentError(text)
    log.warning("%s", text)


def warn_if_nothing_would_be_sent(summary: Summary) -> None:
    """The last line of a dry run after which nothing would be sent."""
    if summary.forecast is not None and not summary.forecast.sends and not _is_all_done(summary):
        log.warning("Nothing would be sent: %s", _why_nothing(summary))


def _is_all_done(summary: Summary) -> bool:
    """Whether a rerun has nothing left to send, which is in order."""
    return summary.already > 0 and not any(summary.counts.get(state) for state in (State.CAPPED, State.HELD))


def _why_nothing(summary: Summary) -> str:
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


def warn_of_forecast(forecast: Forecast) -> None:
    """After a dry run: texts that cost more, and a run that would not be done before calling hours end."""
    if forecast.outside_gsm:
        log.warning(
            "%d texts hold a character outside GSM 03.38, by a row's value or by sms_body: each goes out in parts of "
            "70 characters, which may cost more",
            forecast.outside_gsm,
        )
    if forecast.is_late:
        log.warning(
            "at %.0f requests a second, it takes until %s to send what may be sent now, and the first calling hours "
            "end at %s: the rest is held until the next day. Begin earlier, or raise concurrency",
            forecast.rate_per_s,
            forecast.waves[0].ends_at.isoformat(timespec="minutes"),
            forecast.hours_end_at and forecast.hours_end_at.isoformat(timespec="minutes"),
        )


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
