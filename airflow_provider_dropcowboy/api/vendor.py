"""What a version of the API is to everything above it: its calls, its limits, and what it can do."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Protocol

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import SendOutcome
from airflow_provider_dropcowboy.api.callbacks import Callback, Reading
from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording, Voice, Webhook
from airflow_provider_dropcowboy.api.content import Content
from airflow_provider_dropcowboy.api.content_rules import ContentRules
from airflow_provider_dropcowboy.api.lists import ListRoutes
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Reply, Request
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret


@dataclass(frozen=True, slots=True)
class Access:
    """Whether an account can send now.

    :param about: what was looked at, in a word.
    :param text: for a person: what it may use, or what to do.
    """

    about: str
    is_ready: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What an account may do now (scope ``balance:read``).

    :param balance_usd: None: the answer names none.
    :param next_actions: what the vendor wants to be done first, in its own words.
    """

    has_funds: bool
    balance_usd: Decimal | None
    number_count: int
    audio_url_allowed: bool
    test_numbers_only: bool
    next_actions: tuple[str, ...] = ()

    def access(self) -> Access:
        """Whether the account can send, and what to do if not."""
        if not self.has_funds:
            return Access("readiness", False, "The account has no funds: add some. Nothing was sent.")
        if not self.number_count:
            remedy = "Rent or import one."
            return Access("readiness", False, f"The account has no number to send from. Nothing was sent. {remedy}")
        if self.test_numbers_only:
            return Access(
                "readiness",
                False,
                "The account is in testing mode: every number but its test numbers fails. Ask Drop Cowboy to end it. "
                "Nothing was sent.",
            )
        return Access("readiness", True, f"It has funds and {self.number_count} numbers to send from.")


class SignatureCheck(Protocol):
    """Says why a webhook must not be trusted, in a word; None: the vendor signed it a short time ago."""

    def __call__(
        self,
        body: bytes,
        *,
        signature: str | None,
        timestamp: str | None,
        version: str | None,
        secrets: Collection[Secret],
        at: datetime,
    ) -> str | None: ...


class AccountRoutes(Protocol):
    """Calls about an account that only newer versions of the API have."""

    def readiness(self) -> Call[Readiness]:
        """What the account may do now."""
        ...

    def voices(self) -> Call[tuple[Voice, ...]]:
        """The voices that read a text."""
        ...

    def webhooks(self) -> Call[tuple[Webhook, ...]]:
        """The account's webhooks, without their secrets."""
        ...

    def register_webhook(self, hook_url: str, *, event_types: tuple[str, ...], name: str) -> Call[Webhook]:
        """There is one more webhook; its signing secret is told this once."""
        ...

    def rotate_secret(self, webhook_id: str) -> Call[Webhook]:
        """A webhook has another signing secret, which is told this once; the old one is dead."""
        ...

    def delete_webhook(self, webhook_id: str) -> Call[None]:
        """A webhook is gone."""
        ...

    def campaign_counts(self, campaign_id: str) -> Call[Mapping[str, int]]:
        """Counts of a campaign of the vendor's own."""
        ...


class Vendor(ABC):
    """One version of the API. It has no state; a connection names it once, and ``versions.vendor_of`` finds it.

    :cvar version: as the connection's ``api_version`` names it.
    :cvar base_url: the vendor's own, without a trailing slash.
    :cvar path_prefix: of a base URL that a connection gives as a bare host.
    :cvar lists: its routes of contact lists; each says so where it has none.
    :cvar no_lists: what to do where it has no routes of contact lists; None: it has them.
    :cvar rules: what a message may be made of.
    :cvar routes: what only newer versions have; None: it is no such version.
    :cvar signature_fault: whether a webhook is the vendor's own; None: it signs none.
    :cvar request_form: changes whenever the same content makes another request, byte for byte.
    :cvar key_lasts: how long it knows a send by its idempotency key, at least; None: it knows none.
    :cvar wrong_credentials: what to do about a refusal of the credentials; whole sentences.
    """

    version: ClassVar[str]
    base_url: ClassVar[str]
    path_prefix: ClassVar[str]
    lists: ClassVar[ListRoutes]
    no_lists: ClassVar[str | None]
    routes: ClassVar[AccountRoutes | None]
    signature_fault: ClassVar[SignatureCheck | None]
    rules: ClassVar[ContentRules]
    request_form: ClassVar[str]
    key_lasts: ClassVar[timedelta | None]
    wrong_credentials: ClassVar[str]

    @property
    def newer(self) -> AccountRoutes:
        """The routes that only newer versions have.

        :raises ConfigurationError: this is no such version.
        """
        if self.routes is None:
            raise ConfigurationError(
                f"API {self.version} has no such route. Nothing was sent. Use a connection of a newer version: "
                "api_version in its extra."
            )
        return self.routes

    @abstractmethod
    def headers(self, account: Account) -> dict[str, str]:
        """Credentials as every route wants them."""

    @abstractmethod
    def send(
        self,
        account: Account,
        content: Content,
        *,
        phone: Phone,
        foreign_id: str,
        callback_url: str | None,
        key: str | None = None,
    ) -> Request:
        """The request for one message.

        :param key: idempotency key, for a version that knows one.
        """

    @abstractmethod
    def read_send(self, reply: Reply) -> SendOutcome:
        """What became of one send.

        Only an answer that proves that the message was not accepted lets it be sent again.
        """

    @abstractmethod
    def read_result(self, callback: Callback) -> Reading | None:
        """What a callback means for a send that went by this version; None: it does not say how it ended."""

    @abstractmethod
    def access(self, default_brand_id: str | None = None) -> Call[Access]:
        """Whether the account can send now. It reads, and changes nothing.

        :param default_brand_id: the connection's brand for voicemails.
        """

    @abstractmethod
    def brands(self) -> Call[tuple[Brand, ...]]:
        """The account's brands."""

    @abstractmethod
    def recordings(self, *, api_allowed: bool | None = None) -> Call[tuple[Recording, ...]]:
        """The account's recordings.

        :param api_allowed: only those that may (not) be sent through the API; None: all.
        """

    @abstractmethod
    def media(self) -> Call[tuple[Recording, ...]]:
        """The account's media."""

    @abstractmethod
    def pools(self) -> Call[tuple[Pool, ...]]:
        """What the account sends from: pools of numbers."""
