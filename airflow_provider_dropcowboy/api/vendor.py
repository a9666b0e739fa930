"""What a version of the API is to everything above it: its calls, its limits, and what it can do."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import SendOutcome
from airflow_provider_dropcowboy.api.callbacks import Callback, Reading
from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording
from airflow_provider_dropcowboy.api.content import Content
from airflow_provider_dropcowboy.api.content_rules import ContentRules
from airflow_provider_dropcowboy.api.lists import ListRoutes, ListRules
from airflow_provider_dropcowboy.api.readiness import Access
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.routes import AccountRoutes
from airflow_provider_dropcowboy.api.wire import Reply, Request, Site
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret


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


class Vendor(ABC):
    """One version of the API. It has no state; a connection names it once, and ``versions.vendor_of`` finds it.

    :cvar version: as the connection's ``api_version`` names it.
    :cvar base_url: the vendor's own, without a trailing slash.
    :cvar path_prefix: of a base URL that a connection gives as a bare host.
    :cvar lists: its routes of contact lists; each says so where it has none.
    :cvar list_rules: what can be done with them.
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
    list_rules: ClassVar[ListRules]
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

    def site(self, account: Account, scope: str) -> Call[Site]:  # noqa: ARG002
        """A token of the account's site, for routes that are open to it alone.

        :raises ConfigurationError: this version has no such routes, or the connection names no site.
        """
        raise ConfigurationError(f"API {self.version} has no sites. Nothing was sent.")

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
