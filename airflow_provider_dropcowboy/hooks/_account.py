"""Single calls about an account: lists, catalog, media, contacts, webhooks; and which failures Airflow may retry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_dropcowboy.errors import AmbiguousError, AuthenticationError, ConfigurationError, RejectedError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from os import PathLike

    from airflow_provider_dropcowboy.api import account as accounts
    from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.api.wire import Call
    from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")


class AccountCalls(BaseHook):
    """One method for each route about the account. On a connection of API v1, methods of API v2 fail and say so."""

    conn_name_attr: ClassVar[str] = "dropcowboy_conn_id"
    default_conn_name: ClassVar[str] = "dropcowboy_default"
    conn_type: ClassVar[str] = "dropcowboy"
    hook_name: ClassVar[str] = "Drop Cowboy"

    def __init__(self, dropcowboy_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.dropcowboy_conn_id = dropcowboy_conn_id

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection's settings, checked. From now on, logs mask its credentials.

        :raises ConfigurationError: the connection lacks a field, or has a wrong one.
        """
        from airflow.sdk.log import mask_secret

        settings = ConnectionSettings.of(self.get_connection(self.dropcowboy_conn_id))
        for secret in settings.secrets():
            for form in secret.forms():
                mask_secret(form)
        return settings

    @property
    def account(self) -> "accounts.Account":
        """The account that the connection opens: credentials, base URL, API version."""
        return self.settings.account

    def get_conn(self) -> "Client":
        """A client for single calls. Use it in a ``with`` statement, which closes it."""
        from airflow_provider_dropcowboy.transport.client import Client

        return Client(self.account, timeout_s=self.settings.timeout_s, verify=self.settings.verify)

    def _ask(self, build: "Callable[[Vendor], Call[T]]") -> T:
        from airflow_provider_dropcowboy.api.versions import vendor_of

        with airflow_failures(is_safe=True):
            call = build(vendor_of(self.account))
        with airflow_failures(is_safe=call.request.is_safe), self.get_conn() as client:
            return client.ask(call)

    def create_list(self, list_name: str) -> "ContactList":
        """Make a contact list. If there is one of this name, there are two afterwards."""
        return self._ask(lambda vendor: vendor.create_list(list_name))

    def get_list(self, list_id: str) -> "ContactList":
        """Read a contact list, with its ``contact_count``."""
        return self._ask(lambda vendor: vendor.get_list(list_id))

    def rename_list(self, list_id: str, list_name: str) -> None:
        """Rename a contact list."""
        self._ask(lambda vendor: vendor.rename_list(list_id, list_name))

    def delete_list(self, list_id: str) -> None:
        """Delete a contact list, for good."""
        self._ask(lambda vendor: vendor.delete_list(list_id))

    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: "Sequence[Sequence[Cell]]", region: str = "US"
    ) -> "AppendResult":
        """Append contacts to a list. **Not safe to run again**: each call appends them once more.

        :param fields: the vendor's name of each column, such as ``record_id``, ``phone``, ``first_name``.
        :param values: one row for each contact; more than 10,000 go in several requests.
        :param region: country of numbers without a country code, as two letters (ISO 3166), such as ``US``.
        :returns: how many contacts the list has now, and which rows Drop Cowboy refused.
        :raises AirflowFailException: an argument is wrong, or Drop Cowboy refused the request, or it is in doubt. If
            some rows are in the list, or may be, the cause is an AmbiguousError. Its text says which are in, which may
            be, and which were not sent.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.transport.client import append_all

            with self.get_conn() as client:
                return append_all(client, list_id, fields=fields, values=values, region=region)

    def list_brands(self) -> "tuple[accounts.Brand, ...]":
        """Read the account's brands."""
        return self._ask(lambda vendor: vendor.brands())

    def list_recordings(self, api_allowed: bool | None = None) -> "tuple[accounts.Recording, ...]":
        """Read the account's recordings.

        :param api_allowed: True: those that the API may send; False: the others; None: all.
        """
        return self._ask(lambda vendor: vendor.recordings(api_allowed=api_allowed))

    def list_media(self) -> "tuple[accounts.Recording, ...]":
        """Read the account's media."""
        return self._ask(lambda vendor: vendor.media())

    def list_pools(self) -> "tuple[accounts.Pool, ...]":
        """Read the account's pools of numbers."""
        return self._ask(lambda vendor: vendor.pools())

    def get_readiness(self) -> "accounts.Readiness":
        """Read what the account may do now: funds, numbers, ``audio_url``, testing mode (API v2)."""
        return self._ask(lambda vendor: vendor.newer.readiness())

    def list_voices(self) -> "tuple[accounts.Voice, ...]":
        """Read the voices that can speak a text; only those of status ``ready`` can be used (API v2)."""
        return self._ask(lambda vendor: vendor.newer.voices())

    def list_webhooks(self) -> "tuple[accounts.Webhook, ...]":
        """Read the account's webhooks, without their secrets (API v2)."""
        return self._ask(lambda vendor: vendor.newer.webhooks())

    def get_campaign_counts(self, campaign_id: str) -> "Mapping[str, int]":
        """Read the counts, by name, of a campaign that Drop Cowboy itself runs (API v2)."""
        return self._ask(lambda vendor: vendor.newer.campaign_counts(campaign_id))

    def list_lines(self, kind: 'Literal["voice", "sms"] | None' = None) -> "tuple[accounts.Pool, ...]":
        """Read the account's lines: for voicemails, for texts, or all (API v2)."""
        return self._ask(lambda vendor: vendor.newer.lines(kind))

    def register_webhook(
        self, hook_url: str, *, event_types: Sequence[str], name: str = "Airflow"
    ) -> "accounts.Webhook":
        """Make a webhook. Only the returned value has its signing secret (API v2).

        For the receiver of this package, run ``dropcowboy receiver --register``. It never makes a second webhook.
        """
        return self._ask(
            lambda vendor: vendor.newer.register_webhook(hook_url, event_types=tuple(event_types), name=name)
        )

    def rotate_webhook_secret(self, webhook_id: str) -> "accounts.Webhook":
        """Give a webhook a new signing secret. The old one ends at once (API v2)."""
        return self._ask(lambda vendor: vendor.newer.rotate_secret(webhook_id))

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook (API v2)."""
        self._ask(lambda vendor: vendor.newer.delete_webhook(webhook_id))

    def get_media(self, media_id: str) -> "accounts.Recording":
        """Read about a media file. Its ``api_allowed`` says whether Drop Cowboy has its bytes (API v2)."""
        return self._ask(lambda vendor: vendor.newer.get_media(media_id))

    def upload_media(self, path: "str | PathLike[str]", *, name: str | None = None) -> str:
        """Upload an mp3 or wav file of this machine, so that voicemails can play it (API v2).

        Type and size are checked before any request. A second call makes a second file, which costs nothing.

        :param name: of the file at Drop Cowboy; default: the same as here.
        :returns: the media_id. Give it to a voicemail as ``recording_id``.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.transport.calls import upload_media

            with self.get_conn() as client:
                return upload_media(client, path, name=name)

    def import_media(self, url: str, *, name: str) -> str:
        """Let Drop Cowboy copy an mp3 or wav file from the web, so that voicemails can play it (API v2).

        :returns: the media_id.
        """
        return self._ask(lambda vendor: vendor.newer.import_media(name, url))

    def list_contacts(
        self, list_id: str | None = None, *, limit: int = 100, offset: int = 0
    ) -> "tuple[accounts.StoredContact, ...]":
        """Read one page of the account's contacts, or of those in a list (API v2)."""
        return self._ask(lambda vendor: vendor.people.list_contacts(list_id, limit=limit, offset=offset))

    def get_contact(self, contact_id: str) -> "accounts.StoredContact":
        """Read a contact: fields and consents (API v2)."""
        return self._ask(lambda vendor: vendor.people.get_contact(contact_id))

    def update_contact(self, contact_id: str, **fields: str) -> None:
        """Change a contact (API v2): ``first_name``, ``last_name``, ``email``, ``phone``, ``company``."""
        self._ask(lambda vendor: vendor.people.update_contact(contact_id, **fields))

    def delete_contact(self, contact_id: str) -> None:
        """Delete a contact, for good (API v2)."""
        self._ask(lambda vendor: vendor.people.delete_contact(contact_id))

    def record_consent(
        self,
        contact_id: str,
        *,
        consent_type: Literal["sms_optin", "tcpa_optin"],
        phone_number: str,
        text: str,
        method: Literal["phone", "in_person", "web_form", "paper"],
    ) -> str:
        """Record at Drop Cowboy what a contact agreed to (API v2). Each channel has its own record.

        :param text: the wording that the person agreed to.
        :param method: how the person agreed.
        :returns: the ID of the record.
        """
        from airflow_provider_dropcowboy.phone import Phone

        with airflow_failures(is_safe=True):
            phone = Phone(e164_of(phone_number, "phone_number", region="US"))
        return self._ask(
            lambda vendor: vendor.people.record_consent(
                contact_id, consent_type=consent_type, phone=phone, text=text, method=method
            )
        )


def e164_of(text: str, name: str, *, region: str) -> str:
    """The number as E.164.

    :raises ConfigurationError: it is not a phone number; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

    if not is_region(region):
        raise ConfigurationError(
            f"region is {region!r}. Nothing was sent. Write the two letters of a country (ISO 3166), such as US or GB."
        )
    try:
        return Phone.parse(text, region=region).e164
    except PhoneError as error:
        reason = str(error)
    raise ConfigurationError(f"{name}: {reason}. Nothing was sent. Give a number such as +1 and ten digits.")


@contextmanager
def airflow_failures(*, is_safe: bool) -> Iterator[None]:
    """Fail the task without a retry where a retry must not repeat the call, or would fail again.

    :param is_safe: whether the call changes nothing.
    """
    from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

    try:
        yield
    except (ConfigurationError, AuthenticationError, RejectedError, AmbiguousError) as error:
        raise AirflowFailException(str(error)) from error
    except AirflowTaskTimeout as error:
        if is_safe:
            raise
        # raised in the middle of the call by Airflow's alarm: left as it is, Airflow would retry
        raise AirflowFailException(
            "The execution_timeout of the task ended a call that changes something; it may have been carried out. "
            "Do not repeat it before you looked in Drop Cowboy. A longer execution_timeout than the connection's "
            "timeout_s avoids this."
        ) from error
