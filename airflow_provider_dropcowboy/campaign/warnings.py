"""What someone should look at, said once a run."""

import logging
from typing import Final

from airflow_provider_dropcowboy.api.gsm import count_outside_gsm
from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.forecast import Forecast
from airflow_provider_dropcowboy.campaign.judge import NO_CONSENT, STATE_BAN
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.states import State

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
        for prefix in (STATE_BAN, NO_CONSENT)
    }
    if counts[STATE_BAN]:
        log.warning(
            "state_ban: %d people were not called, since their states ban prerecorded marketing calls. "
            'If this is none, set message_kind="informational"',
            counts[STATE_BAN],
        )
    if counts[NO_CONSENT]:
        log.warning(
            "no consent: %d people were not called, since the law of their place wants consent that their rows do not "
            "name. Name the column with the kinds of consent (express, written, relationship) in consent_column",
            counts[NO_CONSENT],
        )


def warn_of_doubt(summary: Summary) -> None:
    """After the last send: whom nobody knows to have been called or not."""
    if count := summary.counts.get(State.UNKNOWN, 0):
        log.warning(
            "in doubt: %d messages may have been taken or not, and are not asked again by themselves. A callback "
            "settles them; `dropcowboy unknown list '%s'` names them and says from when a person may",
            count,
            summary.campaign,
        )


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
            "at %.0f requests a second, those who may be called now are asked until %s, and the first calling hours "
            "end at %s: who is not asked by then is held until the next day. Begin earlier, or raise concurrency",
            forecast.rate_per_s,
            forecast.waves[0].ends_at.isoformat(timespec="minutes"),
            forecast.hours_end_at and forecast.hours_end_at.isoformat(timespec="minutes"),
        )
