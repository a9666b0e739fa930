"""What a run is to do, checked once, so that nothing further down meets a wrong value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.callbacks import key_id
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate, check_campaign_name
from airflow_provider_dropcowboy.contacts.contact import ContactColumns
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.judgement import NO_RULES, ClaimRules
from airflow_provider_dropcowboy.ledger.runs import Terms, Who
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import DOUBT_LASTS

MAX_CONNECTIONS: Final = 99  # API v1: keep concurrent requests under 100
GRACE_S: Final = 4.0
"""How long answers are awaited when the process is to end: Airflow 3.3 kills 5 s after SIGTERM."""


MessageTemplate = RvmTemplate | SmsTemplate
Rows = Iterable[Mapping[str, object]]


class Settings(Protocol):
    """What a send needs of its connection."""

    @property
    def account(self) -> Account: ...
    @property
    def callback_url(self) -> str | None: ...
    @property
    def account_webhook(self) -> bool: ...
    @property
    def callback_secret(self) -> Secret | None: ...
    @property
    def default_brand_id(self) -> str | None: ...
    @property
    def default_pool_id(self) -> str | None: ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def price_rvm_usd(self) -> Decimal | None: ...
    @property
    def price_sms_usd(self) -> Decimal | None: ...
    @property
    def byoc(self) -> Mapping[str, object] | None: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def verify(self) -> bool | str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of one campaign.

    :param concurrency: requests under way at once, at most; the account's ``max_concurrency`` is shared by all runs.
    :param callback_url: public base URL of the receiver; without ``callback_secret``, where every result goes as it is.
    :param account_webhook: the account's own webhook reports results, whatever ``callback_url`` is.
    :param callback_secret: makes the token in each request's callback URL.
    :param rate_per_s: requests a second, at most; None: as fast as the connections allow.
    :param opt_in_column: column that says whether the contact consented; None: consent is not looked at.
    :param consent_column: column that names the kinds of consent that the contact gave; None: no column does.
    :param timeout_s: for one request, from connecting to the last byte of its answer.
    :param verify: whether the server's certificate is checked; a path: by this CA file.
    :param claim_rules: caps, limit, budget, and when to ask once more for what is in doubt.
    :param max_reject_rate: the run stops when more of its last requests were refused; None: it does not look.
    :param max_unknown_rate: likewise for requests in doubt.
    :param hours: judges when numbers may be called; None: at any time.
    :param waits_until: aware: rows held for their hours are sent by a later wave if they open by then; None: no wave
        follows this one.
    :param earlier_runs: ids of the runs that were this run's earlier waves.
    :param stale_from: when the run's data interval ended; None: it is not judged for its age.
    :param max_staleness: how long after that a campaign may still be begun; None: for ever.
    :param fail_if_nothing_sent: fail if neither this run nor an earlier one sent a message of the campaign.
    :param is_alert: one text about an event, to the on-call: nobody is warned of what only a campaign needs.
    :param is_dry_run: judge every row and write nothing, neither to the ledger nor to the wire.
    """

    account: Account
    campaign: str
    template: MessageTemplate
    columns: ContactColumns
    partition: Partition | None = None
    opt_in_column: str | None = None
    consent_column: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    callback_secret: Secret | None = None
    account_webhook: bool = False
    concurrency: int = 50
    max_concurrency: int = 90
    rate_per_s: float | None = None
    timeout_s: float = 30.0
    verify: bool | str = True
    claim_rules: ClaimRules = NO_RULES
    max_reject_rate: float | None = None
    max_unknown_rate: float | None = None
    hours: CallingHours | None = None
    waits_until: datetime | None = None
    earlier_runs: tuple[int, ...] = ()
    stale_from: datetime | None = None
    max_staleness: timedelta | None = None
    fail_if_nothing_sent: bool = False
    is_alert: bool = False
    is_dry_run: bool = False
    who: Who = field(default_factory=Who)

    def __post_init__(self) -> None:
        # a line break that a template left behind would make another campaign of it
        object.__setattr__(self, "campaign", check_campaign_name(self.campaign))
        object.__setattr__(self, "claim_rules", self._keyed())
        for name, value in (("concurrency", self.concurrency), ("max_concurrency", self.max_concurrency)):
            if not 1 <= value <= MAX_CONNECTIONS:
                raise ConfigurationError(
                    f"{name}={value} is not between 1 and {MAX_CONNECTIONS}: the vendor asks for fewer than 100 "
                    "concurrent requests an account. Nothing was sent."
                )
        resend_after = self.claim_rules.resend_after
        if resend_after is not None and resend_after < DOUBT_LASTS:
            raise ConfigurationError(
                f"resend_after={resend_after} is too soon: a request may be carried out until {DOUBT_LASTS} after "
                "its claim. Nothing was sent. Give it more, such as timedelta(days=2)."
            )
        if self.claim_rules.budget_micros is not None and not self.claim_rules.price_micros:
            raise ConfigurationError(
                "budget_usd is given, but not what one send costs. Nothing was sent. Set price_rvm_usd and "
                "price_sms_usd in the connection."
            )
        if self.rate_per_s is not None and self.rate_per_s <= 0:
            raise ConfigurationError(f"rate_per_s={self.rate_per_s} is not above 0. Nothing was sent.")
        if self.timeout_s <= 0:
            raise ConfigurationError(f"timeout_s={self.timeout_s} is not above 0 seconds. Nothing was sent.")

    @property
    def terms(self) -> Terms:
        """What the ledger keeps of it for the run's report."""
        return Terms(
            gets_results=self.callback_url is not None or self.account_webhook,
            budget_micros=self.claim_rules.budget_micros,
        )

    def _keyed(self) -> ClaimRules:
        """The rules of claims, with what the vendor's idempotency keys allow."""
        vendor = vendor_of(self.account)
        if vendor.key_lasts is None:
            return self.claim_rules
        secret = self.callback_secret
        # all that a request holds beside its message's own content, number and names
        shared = (vendor.request_form, self.account.base_url, self.callback_url or "", key_id(secret) if secret else "")
        return self.claim_rules.keyed(vendor.key_lasts, shared)

    def waits_for(self, opening: datetime | None) -> bool:
        """Whether another wave follows at this opening.

        :param opening: aware; None: no row waits for one.
        """
        return opening is not None and self.waits_until is not None and opening <= self.waits_until

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns of the source that are used, as the user names them."""
        columns = self.columns
        consent = (self.opt_in_column, self.consent_column)
        named = (columns.phone_column, columns.key_column, columns.postal_code_column, *consent)
        return tuple(dict.fromkeys([*filter(None, named), *self.template.columns()]))

    @property
    def channel(self) -> Channel:
        """Voicemail or text."""
        return Channel.RVM if isinstance(self.template, RvmTemplate) else Channel.SMS

    @property
    def has_express_consent(self) -> bool:
        """Whether each row that is sent has it: by a yes in ``opt_in_column``, without which no text goes at all."""
        return self.opt_in_column is not None or self.channel is Channel.SMS
