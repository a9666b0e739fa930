"""What a version of the API is to everything above it: its calls, its limits, and what it can do."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Protocol, TypeVar

from airflow_provider_dropcowboy.api import account as accounts
from airflow_provider_dropcowboy.api.callbacks import Callback, Reading
from airflow_provider_dropcowboy.api.content import Content, ContentRules
from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList, ListRules
from airflow_provider_dropcowboy.api.wire import Call, Reply, Request, SendOutcome, Site, read_send_answer
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret

T = TypeVar("T")


class SignatureCheck(Protocol):
    """Says why a webhook must not be trusted, in a word; None: the vendor signed it a short time ago."""

    def __call__(
        self, body: bytes, headers: Mapping[str, str], *, secrets: Collection[Secret], at: datetime
    ) -> str | None: ...


class AccountRoutes(Protocol):
    """The calls about an account that only newer versions have."""

    def readiness(self) -> Call[accounts.Readiness]:
        """What the account may do now."""

    def voices(self) -> Call[tuple[accounts.Voice, ...]]:
        """The voices that read a text."""

    def lines(self, kind: str | None = None) -> Call[tuple[accounts.Pool, ...]]:
        """The lines of voicemails, of texts, or all."""

    def webhooks(self) -> Call[tuple[accounts.Webhook, ...]]:
        """The account's webhooks, without their secrets."""

    def register_webhook(self, hook_url: str, *, event_types: tuple[str, ...], name: str) -> Call[accounts.Webhook]:
        """Make a webhook; only this answer has its signing secret."""

    def rotate_secret(self, webhook_id: str) -> Call[accounts.Webhook]:
        """Give a webhook a new signing secret, which only this answer has; the old one ends."""

    def delete_webhook(self, webhook_id: str) -> Call[None]:
        """A webhook is gone."""

    def campaign_counts(self, campaign_id: str) -> Call[Mapping[str, int]]:
        """Counts of a campaign of the vendor's own."""

    def get_media(self, media_id: str) -> Call[accounts.Recording]:
        """One file."""

    def import_media(self, name: str, url: str) -> Call[str]:
        """A file from the web is ready to be sent; its media_id."""

    def begin_upload(self, name: str) -> Call[accounts.Upload]:
        """Make a file without bytes, and learn where the bytes go."""

    def complete_upload(self, media_id: str) -> Call[str]:
        """The file whose bytes were uploaded is ready to be sent; its media_id."""


class ContactRoutes(Protocol):
    """The calls about single contacts, which only newer versions have."""

    def list_contacts(
        self, list_id: str | None = None, *, limit: int = 100, offset: int = 0
    ) -> Call[tuple[accounts.StoredContact, ...]]:
        """A page of all contacts, or of those in a list."""

    def get_contact(self, contact_id: str) -> Call[accounts.StoredContact]:
        """One contact."""

    def update_contact(self, contact_id: str, **fields: str) -> Call[None]:
        """A contact's fields have other values."""

    def delete_contact(self, contact_id: str) -> Call[None]:
        """A contact is gone."""

    def record_consent(self, contact_id: str, *, consent_type: str, phone: Phone, text: str, method: str) -> Call[str]:
        """A contact's consent is recorded; the id of the record."""


class Vendor(ABC):
    """One version of the API. It has no state; a connection names it once, and ``versions.vendor_of`` finds it.

    :cvar version: as the connection's ``api_version`` names it.
    :cvar base_url: the vendor's own, without a trailing slash.
    :cvar path_prefix: of a base URL that a connection gives as a bare host.
    :cvar list_rules: what can be done with contact lists.
    :cvar rules: what a message may be made of.
    :cvar routes: of an account that only newer versions have; None: it is no such version.
    :cvar contacts: routes of single contacts, likewise.
    :cvar signature_fault: whether a webhook is the vendor's own; None: it signs none.
    :cvar request_form: changes whenever the same content makes another request, byte for byte.
    :cvar key_lasts: how long it knows a send by its idempotency key, at least; None: it knows none.
    :cvar names_account: whether the login names the account for good; a key may be replaced.
    :cvar max_concurrency: requests under way at once, at most. API v1 says fewer than 100; v2 publishes no number.
    :cvar wrong_credentials: what to do about a refusal of the credentials; whole sentences.
    """

    version: ClassVar[str]
    base_url: ClassVar[str]
    path_prefix: ClassVar[str] = ""
    list_rules: ClassVar[ListRules]
    routes: ClassVar[AccountRoutes | None] = None
    contacts: ClassVar[ContactRoutes | None] = None
    signature_fault: ClassVar[SignatureCheck | None] = None
    rules: ClassVar[ContentRules]
    request_form: ClassVar[str]
    key_lasts: ClassVar[timedelta | None] = None
    names_account: ClassVar[bool] = True
    max_concurrency: ClassVar[int] = 99
    wrong_credentials: ClassVar[str]

    @property
    def newer(self) -> AccountRoutes:
        """The routes of an account that only newer versions have.

        :raises ConfigurationError: this is no such version.
        """
        return self._of_newer(self.routes)

    @property
    def people(self) -> ContactRoutes:
        """The routes of single contacts.

        :raises ConfigurationError: this version has none.
        """
        return self._of_newer(self.contacts)

    def _of_newer(self, routes: T | None) -> T:
        if routes is None:
            raise ConfigurationError(
                f"API {self.version} has no such route. Nothing was sent. Use a connection of a newer version: "
                "api_version in its extra."
            )
        return routes

    @abstractmethod
    def headers(self, account: accounts.Account) -> dict[str, str]:
        """Credentials as every route wants them."""

    def site(self, account: accounts.Account, scope: str) -> Call[Site]:  # noqa: ARG002
        """A token of the account's site, for routes that are open to it alone.

        :raises ConfigurationError: this version has no such routes, or the connection names no site.
        """
        raise ConfigurationError(f"API {self.version} has no sites. Nothing was sent.")

    @abstractmethod
    def send(
        self,
        account: accounts.Account,
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

    def read_send(self, reply: Reply) -> SendOutcome:
        """What became of one send.

        Only an answer that proves that the message was not accepted lets it be sent again.
        """
        return read_send_answer(reply)

    @abstractmethod
    def read_result(self, callback: Callback) -> Reading | None:
        """What a callback means for a send that went by this version; None: it does not say how it ended."""

    @abstractmethod
    def access(self, default_brand_id: str | None = None) -> Call[accounts.Access]:
        """Whether the account can send now. It reads, and changes nothing.

        :param default_brand_id: the connection's brand for voicemails.
        """

    @abstractmethod
    def brands(self) -> Call[tuple[accounts.Brand, ...]]:
        """The account's brands."""

    @abstractmethod
    def recordings(self, *, api_allowed: bool | None = None) -> Call[tuple[accounts.Recording, ...]]:
        """The account's recordings.

        :param api_allowed: only those that may (not) be sent through the API; None: all.
        """

    @abstractmethod
    def media(self) -> Call[tuple[accounts.Recording, ...]]:
        """The account's media."""

    @abstractmethod
    def pools(self) -> Call[tuple[accounts.Pool, ...]]:
        """What the account sends from: pools of numbers."""

    def create_list(self, list_name: str) -> Call[ContactList]:  # noqa: ARG002
        """There is a new list; two lists may have one name.

        :raises ConfigurationError: this version only adds to lists that are there, here and below.
        """
        raise ConfigurationError(self.list_rules.only_adds)

    @abstractmethod
    def get_list(self, list_id: str) -> Call[ContactList]:
        """The list, with its ``contact_count``."""

    def rename_list(self, list_id: str, list_name: str) -> Call[None]:  # noqa: ARG002
        """The list has another name."""
        raise ConfigurationError(self.list_rules.only_adds)

    def delete_list(self, list_id: str) -> Call[None]:  # noqa: ARG002
        """The list is gone, for good."""
        raise ConfigurationError(self.list_rules.only_adds)

    @abstractmethod
    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
    ) -> Call[AppendResult]:
        """Up to ``ListRules.max_rows`` rows are in the list, but for those that the result names.

        :param fields: in the words that hold for every version, one for each column.
        :param values: each a list or tuple with one value a field.
        :param region: ISO 3166 alpha-2, for numbers that are not in E.164.
        :raises ConfigurationError: not what the route takes; nothing was sent.
        """
