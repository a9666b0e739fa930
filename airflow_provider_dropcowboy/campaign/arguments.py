"""The arguments of a send, each described once: what operators, the notifier and ``dropcowboy send`` take."""

import logging
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.argument_kinds import (
    AMOUNT,
    COLUMN,
    DURATION,
    FLAG,
    ID,
    RATE,
    SHARE,
    URL,
    choice,
    count_kind,
    text_kind,
)
from airflow_provider_dropcowboy.arguments import LATER, Kind, argument, given_of, not_both, wrong
from airflow_provider_dropcowboy.campaign.messages import check_campaign_name
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.source import SourceArguments
from airflow_provider_dropcowboy.states import DOUBT_LASTS

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.plan import MessageTemplate, Plan, Settings
    from airflow_provider_dropcowboy.campaign.run import Waves
    from airflow_provider_dropcowboy.contacts.contact import Template
    from airflow_provider_dropcowboy.ledger.runs import Who
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours

log = logging.getLogger(__name__)


CAMPAIGN: Final = Kind(lambda _name, value: check_campaign_name(str(value)), is_text=True, metavar="NAME")
PARTITION: Final = text_kind(lambda _name, text: Partition.parse(text), "N/M")
POOL: Final = Kind(lambda name, value: "" if value == "" else ID.read(name, value), is_text=True, metavar="ID")


@dataclass(frozen=True, kw_only=True, repr=False)
class SendArguments(SourceArguments):
    """What voicemails and texts have in common."""

    channel: ClassVar[Channel]

    phone_column: str = argument(
        COLUMN, "Phone number, in any notation. Without a country code it belongs to `region`.", default="phone"
    )
    postal_code_column: str | None = argument(
        COLUMN, "Postal code, to narrow down where a person is. ZIP codes that lost leading zeros are repaired."
    )
    contact_id_column: str | None = argument(
        COLUMN,
        "API v2: column of Drop Cowboy's contact ID, which is sent to in place of the number, and is the contact key. "
        "`phone_column` must hold that contact's number: it is screened for opt-outs, caps and calling hours.",
    )
    partition: Partition | None = argument(PARTITION, "Part of the source, such as `3/8`, by contact key.")
    opt_in_column: str | None = argument(
        COLUMN, "Only rows whose value is a clear yes are sent to. The others are `suppressed`."
    )
    consent_column: str | None = argument(
        COLUMN,
        "Kinds of consent that a contact gave: `express`, `written`, `relationship`. Where a law requires consent to "
        "recorded sales messages, rows without it are `suppressed`. A yes in `opt_in_column` is express.",
    )
    message_kind: str = argument(
        choice("marketing", "informational"),
        "Some states ban recorded sales messages, others require consent: there `marketing` is `suppressed`.",
        default="marketing",
    )
    calling_hours: str = argument(
        choice("state", "federal", "off"),
        "Calling-hours rules to enforce. `state`: federal hours and those of every stricter state and of Canada. "
        "`federal`: federal hours only. `off`: none. Rows outside them are `held`; a later run reaches them.",
        default="state",
    )
    on_held: str = argument(
        choice("wait", "leave"),
        "`wait`: the task defers until held rows may be called, without a worker slot, until all are sent or "
        "`wave_deadline` is over. `leave`: it ends, and a rerun of the campaign sends to them.",
        default="wait",
    )
    wave_deadline: timedelta = argument(
        DURATION, "How long after its first wave a task may still wait.", default=timedelta(hours=24)
    )
    max_attempts: int | None = argument(
        count_kind(1),
        "Most attempts on one number within `attempts_window`, over all campaigns of the ledger. None: no cap. The "
        "vendor's own default is 3 in 3 days (TCPA).",
        default=3,
        may_be_none=True,
    )
    attempts_window: timedelta = argument(
        DURATION, "Time over which `max_attempts` are counted.", default=timedelta(days=3)
    )
    repeat_window: timedelta | None = argument(
        DURATION,
        "The same content to the same number under another campaign is `capped` within this time. None: it is not.",
        default=timedelta(hours=20),
        may_be_none=True,
    )
    pool_id: str | None = argument(POOL, "Pool of numbers to send from. Default: the connection's. Empty text: none.")
    phone_line_id: str | None = argument(POOL, "Another word for `pool_id`: API v2 has lines where v1 has pools.")
    callback_url: str | None = argument(
        URL,
        "URL to which Drop Cowboy posts each result. It is sent as it is, without a signature, so the ledger learns no "
        "result unless you pass them on. Default: the connection's, signed for each message.",
    )
    campaign: str | None = argument(
        CAMPAIGN,
        'What "once" refers to: each contact gets one message of a campaign. Default: '
        "`{dag_id}.{task_id}@{logical_date}`, or the run id where the run has no logical date.",
    )
    concurrency: int = argument(
        count_kind(1, 99),  # API v1: keep concurrent requests under 100
        "Most requests under way at once. All runs of an account share its `max_concurrency`.",
        default=50,
    )
    rate_per_s: float | None = argument(RATE, "Most requests per second. Default: as many as the connections allow.")
    on_unknown: str = argument(
        choice("hold", "resend"),
        "What happens to a message in doubt. `hold`: a callback or a person settles it. `resend`: it is sent once "
        "more, `resend_after` later.",
        default="hold",
    )
    resend_after: timedelta = argument(
        DURATION, "At least 75 minutes: until then the first request may be carried out.", default=timedelta(days=2)
    )
    max_reject_rate: float | None = argument(
        SHARE,
        "The run stops when a larger share of its last requests was refused. None: it does not.",
        default=0.2,
        may_be_none=True,
    )
    max_unknown_rate: float | None = argument(
        SHARE,
        "The run stops when a larger share of its last requests is in doubt. None: it does not.",
        default=0.02,
        may_be_none=True,
    )
    budget_usd: Decimal | None = argument(
        AMOUNT, "Most that the campaign may cost, whatever the try. Needs the connection's prices."
    )
    limit: int | None = argument(
        count_kind(1), "Most messages that the campaign may send, whatever the try. Further rows are `held`."
    )
    max_staleness: timedelta | None = argument(
        DURATION,
        "A scheduled or backfilled run that was due longer ago is skipped. None: never. The run's conf "
        '`{"dropcowboy_allow_stale": true}` allows one run.',
        default=timedelta(days=1),
        may_be_none=True,
    )
    fail_if_nothing_sent: bool = argument(
        FLAG,
        "Fail if no message of the campaign was sent: by this run or by one before it. Without it, the last line of "
        "the log is a warning that says why.",
        default=False,
    )
    dry_run: bool = argument(
        FLAG, "Screen every row, forecast waves, times and cost, and neither write nor send anything.", default=False
    )

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        not_both(values, "pool_id", "phone_line_id")
        keys = {values[name] for name in given_of(values, "contact_id_column", "key_column")} - {LATER}
        if values["contact_id_column"] is not None and len(keys) > 1:
            # a contact under two keys would get two messages, though each number in the source differs
            raise wrong("key_column", "is given with contact_id_column, which is the contact key", "Leave it out.")
        resend_after = values["resend_after"]
        is_soon = isinstance(resend_after, timedelta) and resend_after < DOUBT_LASTS
        if values["on_unknown"] == "resend" and is_soon:
            raise wrong(
                "resend_after",
                f"is {resend_after}: too soon, a request may be carried out until {DOUBT_LASTS} after its claim",
                "Give it more, such as timedelta(days=2).",
            )

    @abstractmethod
    def template(self, settings: "Settings") -> "MessageTemplate":
        """What each contact gets.

        :raises ConfigurationError: neither the arguments nor the connection supply a value, or a number does not exist.
        """

    def plan(
        self,
        settings: "Settings",
        *,
        hours: "CallingHours | None",
        who: "Who",
        waves: "Waves | None" = None,
        stale_from: datetime | None = None,
        is_alert: bool = False,
    ) -> "Plan":
        """What a run is to do.

        :param hours: judges calling hours, as ``calling_hours`` and ``message_kind`` say.
        :param waves: the run's earlier waves; None: no wave follows it.
        :param stale_from: when the run was due; None: it is not judged for its age.
        :raises ConfigurationError: a value is wrong, or given neither here nor by the connection.
        """
        from airflow_provider_dropcowboy.campaign.plan import Plan
        from airflow_provider_dropcowboy.contacts.contact import ContactColumns
        from airflow_provider_dropcowboy.ledger.judgement import ClaimRules

        if self.callback_url is not None and self.callback_url.rstrip("/") == settings.callback_url:
            raise wrong(
                "callback_url",
                "is the connection's own: as a task's, it would go out without a signature, and the receiver would "
                "refuse the results",
                "Leave it out.",
            )
        callback_url = self.callback_url or settings.callback_url
        callback_secret = settings.callback_secret if self.callback_url is None else None
        if callback_url is not None and callback_secret is None and not is_alert:
            log.warning(
                "results are posted to callback_url as it is, without a signature: the ledger learns of them only "
                "through the receiver's /webhook. For signed results, set callback_url and callback_secret in the "
                "connection"
            )
        price_usd = settings.price_rvm_usd if self.channel is Channel.RVM else settings.price_sms_usd
        earlier_runs = () if waves is None else waves.run_ids
        return Plan(
            account=settings.account,
            campaign=self.campaign or "",
            template=self.template(settings),
            columns=ContactColumns(
                key_column=self.contact_id_column or self.key_column,
                phone_column=self.phone_column,
                postal_code_column=self.postal_code_column,
                region=self.region,
            ),
            partition=self.partition,
            opt_in_column=self.opt_in_column,
            consent_column=self.consent_column,
            callback_url=callback_url,
            callback_secret=callback_secret,
            account_webhook=settings.account_webhook,
            concurrency=self.concurrency,
            max_concurrency=settings.max_concurrency,
            rate_per_s=self.rate_per_s,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            claim_rules=ClaimRules(
                caps=() if self.max_attempts is None else ((self.max_attempts, self.attempts_window),),
                resend_after=self.resend_after if self.on_unknown == "resend" else None,
                repeat_window=self.repeat_window,
                limit=self.limit,
                budget_micros=_micros(self.budget_usd),
                price_micros=_micros(price_usd),
            ),
            max_reject_rate=self.max_reject_rate,
            max_unknown_rate=self.max_unknown_rate,
            hours=hours,
            waits_until=waves.begun_at + self.wave_deadline if waves and self.on_held == "wait" else None,
            earlier_runs=earlier_runs,
            stale_from=None if earlier_runs else stale_from,
            max_staleness=self.max_staleness,
            fail_if_nothing_sent=self.fail_if_nothing_sent,
            is_alert=is_alert,
            is_dry_run=self.dry_run,
            who=who,
        )

    def _contact_id(self) -> "Template | None":
        from airflow_provider_dropcowboy.contacts.contact import Template

        return None if self.contact_id_column is None else Template(("", ""), (self.contact_id_column,))

    def _pool_id(self, settings: "Settings") -> str | None:
        given = self.phone_line_id if self.pool_id is None else self.pool_id
        return (settings.default_pool_id if given is None else given) or None


def _micros(amount_usd: Decimal | None) -> int | None:
    return None if amount_usd is None else int(amount_usd * 1_000_000)
