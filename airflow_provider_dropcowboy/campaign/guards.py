"""What must hold before a run claims anyone."""

from datetime import UTC, datetime, timedelta
from typing import Final

from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import GuardError, StaleRunError
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.origin import has_sends, is_freed, restored_at, watch_timeline
from airflow_provider_dropcowboy.ledger.runs import Campaign

MAX_CLOCK_SKEW: Final = timedelta(seconds=30)


def check_ledger(plan: Plan, ledger: Ledger, campaign: Campaign | None) -> None:
    """Nothing, if the ledger can know what was sent of the campaign.

    :param campaign: as the ledger knows it; None: it does not.
    :raises GuardError: the ledger may not know what was sent, or clocks differ; nothing was sent.
    """
    watch_timeline(ledger)
    with ledger.reading() as connection:
        at = now(connection)
    if abs(at - utcnow()) > MAX_CLOCK_SKEW:
        raise GuardError(
            f"This machine's clock and the ledger's differ by {abs(at - utcnow())}. Nothing was sent: calling hours, "
            "leases and caps need one time. Set both by NTP, then clear the task."
        )
    due_at, try_number = plan.who.due_at, plan.who.try_number or 1
    if due_at is None or (campaign is not None and is_freed(ledger, campaign)):
        return
    restored = restored_at(ledger)
    if restored is not None and due_at < restored:
        raise GuardError(
            f"The ledger was restored at {_text(restored)} and may lack what was sent before; this run was due at "
            f"{_text(due_at)}. Nothing was sent. {_adopt(plan)}"
        )
    # an earlier try that failed before it had a ledger, for its connection say, is known to have sent nothing
    is_another = plan.who.earlier_ledger not in ("", ledger.ledger_id)
    if campaign is None and try_number > 1 and due_at < ledger.born_at and is_another:
        raise GuardError(
            f"This is try {try_number} of a run that was due at {_text(due_at)}, and the ledger is younger (it began "
            f"at {_text(ledger.born_at)}) and does not know its campaign: an earlier ledger may be gone, with a "
            f"replaced container for example. Nothing was sent. {_adopt(plan)}"
        )


def check_staleness(plan: Plan, ledger: Ledger, campaign: Campaign) -> None:
    """Nothing, if the run is not too old: a catch-up does not send last year's voicemails.

    Judged once, before the run's first claim. The campaign is in the ledger by then: a later try that is allowed to
    send finds it, and is not taken for one whose ledger was lost.

    :raises StaleRunError: too old; ``is_begun`` says whether anyone of the campaign was asked.
    """
    if plan.max_staleness is None or plan.stale_from is None:
        return
    with ledger.reading() as connection:
        at = now(connection)
    if at - plan.stale_from <= plan.max_staleness:
        return
    is_begun = has_sends(ledger, campaign)
    age = timedelta(seconds=round((at - plan.stale_from).total_seconds()))
    raise StaleRunError(
        f"This run's data interval ended {age} ago, max_staleness is {plan.max_staleness}. "
        + ("Some of its campaign were asked then, the rest was not. " if is_begun else "Nothing was sent. ")
        + 'If it is meant, trigger it with the conf {"dropcowboy_allow_stale": true}, or set max_staleness=None.',
        is_begun=is_begun,
    )


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _adopt(plan: Plan) -> str:
    return (
        "If you know that nobody of this campaign was asked who is not in the ledger, run "
        f"`dropcowboy ledger adopt '{plan.campaign}'` and clear the task."
    )
