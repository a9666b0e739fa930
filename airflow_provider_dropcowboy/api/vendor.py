"""What a version of the API is to everything above it: its calls, its limits, and what it can do."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import SendOutcome
from airflow_provider_dropcowboy.api.callbacks import Callback
from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording
from airflow_provider_dropcowboy.api.content import Content
from airflow_provider_dropcowboy.api.lists import ListRoutes
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Reply, Request
from airflow_provider_dropcowboy.phone import Phone


@dataclass(frozen=True, slots=True)
class Access:
    """Whether an account can send now.

    :param about: what was looked at, in a word.
    :param text: for a person: what it may use, or what to do.
    """

    about: str
    is_ready: bool
    text: str


class Vendor(ABC):
    """One version of the API. It has no state; a connection names it once, and ``versions.vendor_of`` finds it.

    :cvar version: as the connection's ``api_version`` names it.
    :cvar base_url: the vendor's own, without a trailing slash.
    :cvar path_prefix: of a base URL that a connection gives as a bare host.
    :cvar lists: its routes of contact lists.
    :cvar wrong_credentials: what to do about a refusal of the credentials; whole sentences.
    """

    version: ClassVar[str]
    base_url: ClassVar[str]
    path_prefix: ClassVar[str]
    lists: ClassVar[ListRoutes]
    wrong_credentials: ClassVar[str]

    @abstractmethod
    def headers(self, account: Account) -> dict[str, str]:
        """Credentials as every route wants them."""

    @abstractmethod
    def send(
        self, account: Account, content: Content, *, phone: Phone, foreign_id: str, callback_url: str | None
    ) -> Request:
        """The request for one message."""

    @abstractmethod
    def check_content(self, content: Content) -> None:
        """Nothing, if the vendor accepts a message like this.

        :raises ConfigurationError: it does not; the text names the field and repeats no value.
        """

    @abstractmethod
    def read_send(self, reply: Reply) -> SendOutcome:
        """What became of one send.

        Only an answer that proves that the message was not accepted lets it be sent again.
        """

    @abstractmethod
    def read_callback(self, raw: bytes) -> Callback:
        """The result that a callback reports; missing and unknown fields are fine, and so is a field of an odd type.

        :raises CallbackError: it does not say how the send ended; the text repeats nothing of the payload.
        """

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
