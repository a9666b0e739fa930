"""How a run begins: what is checked before anything is claimed, and the run that the ledger then knows."""

import gc
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from operator import length_hint
from typing import Final, NamedTuple

from airflow_provider_dropcowboy.api.account import is_local
from airflow_provider_dropcowboy.api.content import count_outside_gsm
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.campaign.messages import Identity, RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    ConfigurationError,
    NothingSentError,
    StaleRunError,
)
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, accounts_with
from airflow_provider_dropcowboy.ledger.counts import has_sends
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.health import check_campaign
from airflow_provider_dropcowboy.ledger.patience import begin_patiently, bind_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, end_run, rows_read_last
from airflow_provider_dropcowboy.transport.client import Client

_TOLL_FREE: Final = ("800", "822", "833", "844", "855", "866", "877", "880", "881", "882", "883", "888")  # NANPA

log = logging.getLogger(__name__)


class Begun(NamedTuple):
    """A run that the ledger knows.

    :param expected: rows that its source has, or that the task read the last time; None: nobody knows.
    """

    run: Run
    identity: Identity
    expected: int | None


def begin(plan: Plan, ledger: Ledger, *, rows: Iterable[object], clock: Clock) -> Begun:
    """Begin a run, if the ledger can be trusted, the account can send, and the run is not too old.

    :raises DropCowboyError: it is not begun, and nothing was sent.
    """
    check_account(plan, ledger)
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
    _check_ready(plan)
    campaign = bind_patiently(ledger, account, name=plan.campaign, channel=plan.channel, prefix=prefix, clock=clock)
    if plan.who.remember is not None:  # not before the ledger knows the campaign: else a crash here looks like a loss
        plan.who.remember(ledger.ledger_id)
    _check_staleness(plan, ledger, campaign, clock)
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
    run = begin_patiently(ledger, campaign, who=plan.who, wanted=plan.concurrency, terms=plan.terms, clock=clock)
    return Begun(run, Identity.of(ledger.key, campaign), expected)


def check_account(plan: Plan, ledger: Ledger) -> None:
    """Return unless the campaign seems to have been sent under another key of the account.

    :raises ConfigurationError: it does; nobody may be contacted before a person has named the account.
    """
    account = plan.account
    if account.given_name or vendor_of(account).names_account or is_local(account.name):
        return
    accounts = accounts_with(ledger, name=plan.campaign, channel=plan.channel)
    others = [name for name in accounts if not is_local(name)]
    if account.name not in accounts and others:
        raise ConfigurationError(
            f"The ledger knows campaign {plan.campaign!r} of {', '.join(others)}, and this connection is account "
            f"{account.name}, since its login is another key or it moved to API v2. Nothing was sent: people could be "
            f'contacted twice. Set the account in the connection\'s extra, {{"account": "{others[0]}"}}; if it is '
            f'another account indeed, {{"account": "{account.name}"}}.'
        )


def _check_ready(plan: Plan) -> None:
    """Return if the account can send, where the vendor answers sends before it checks them.

    :raises AuthenticationError: it cannot; the text says what to do, and nothing was sent.
    :raises VendorError: the vendor was not reached.
    """
    vendor = vendor_of(plan.account)
    if vendor.routes is None:
        return
    with Client(plan.account, timeout_s=plan.timeout_s, verify=plan.verify) as client:
        readiness = client.ask(vendor.routes.readiness())
    access = readiness.access(is_voice=isinstance(plan.template, RvmTemplate))
    if not access.is_ready:
        raise AuthenticationError(f"Drop Cowboy would fail every message. {access.text}")
    if not isinstance(plan.template, RvmTemplate):
        return
    if plan.template.audio_url and not readiness.audio_url_allowed:
        raise AuthenticationError(
            "Drop Cowboy does not allow this account to send by audio_url. Nothing was sent. Upload the file with "
            "`dropcowboy media upload` and give its media_id, or ask Drop Cowboy to allow it."
        )
    if (plan.template.sti_orig_id or plan.template.byoc) and readiness.byoc_connected is False:
        raise AuthenticationError(
            "Drop Cowboy knows no carrier of this account's own (BYOC). Nothing was sent. Connect it in the dashboard, "
            "or leave out byoc_secret of the connection, sti_orig_id and sti_attestation."
        )


def _check_staleness(plan: Plan, ledger: Ledger, campaign: Campaign, clock: Clock) -> None:
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
    skipped = begin_patiently(ledger, campaign, who=plan.who, wanted=0, clock=clock)
    end_run(ledger, skipped, counts={}, reason=text)
    if plan.fail_if_nothing_sent:
        raise NothingSentError(text)
    log.warning("%s", text)
    raise StaleRunError(text, is_begun=False)


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


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
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
