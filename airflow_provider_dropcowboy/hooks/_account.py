"""Single calls of the API: how one is made, what of its failures Airflow may repeat, and those about an account."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_dropcowboy.errors import AmbiguousError, AuthenticationError, ConfigurationError, RejectedError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from os import PathLike

    from airflow_provider_dropcowboy.api.account import (
        Account,
        Brand,
        Pool,
        Readiness,
        Recording,
        StoredContact,
        Voice,
        Webhook,
    )
    from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.api.wire import Call
    from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")


class AccountCalls(BaseHook):
    """One method for each route about the account. A connection of API v1 refuses those of API v2, by name."""

    conn_name_attr: ClassVar[str] = "dropcowboy_conn_id"
    default_conn_name: ClassVar[str] = "dropcowboy_default"
    conn_type: ClassVar[str] = "dropcowboy"
    hook_name: ClassVar[str] = "Drop Cowboy"

    def __init__(self, dropcowboy_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.dropcowboy_conn_id = dropcowboy_conn_id

    @cached_property
    def settings(self) -> ConnectionSettings:
        """The connection, checked; its credentials are masked in logs from here on.

        :raises ConfigurationError: the connection lacks a field, or has a wrong one.
        """
        from airflow.sdk.log import mask_secret

        settings = ConnectionSettings.of(self.get_connection(self.dropcowboy_conn_id))
        for secret in settings.secrets():
            for form in secret.forms():
                mask_secret(form)
        return settings

    @property
    def account(self) -> "Account":
        """Whose account, and where."""
        return self.settings.account

    def get_conn(self) -> "Client":
        """A client for single calls; use it in a ``with``, which closes it."""
        from airflow_provider_dropcowboy.transport.client import Client

        return Client(self.account, timeout_s=self.settings.timeout_s, verify=self.settings.verify)

    def _ask(self, build: "Callable[[Vendor], Call[T]]") -> T:
        from airflow_provider_dropcowboy.api.versions import vendor_of

        with airflow_failures(is_safe=True):
            call = build(vendor_of(self.account))
        with airflow_failures(is_safe=call.request.is_safe), self.get_conn() as client:
            return client.ask(call)

    def create_list(self, list_name: str) -> "ContactList":
        """A contact list exists; another one, if there was one of this name."""
        return self._ask(lambda vendor: vendor.lists.create_list(list_name))

    def get_list(self, list_id: str) -> "ContactList":
        """A contact list and its ``contact_count``."""
        return self._ask(lambda vendor: vendor.lists.get_list(list_id))

    def rename_list(self, list_id: str, list_name: str) -> None:
        """The contact list has this name."""
        self._ask(lambda vendor: vendor.lists.rename_list(list_id, list_name))

    def delete_list(self, list_id: str) -> None:
        """The contact list is gone, for good."""
        self._ask(lambda vendor: vendor.lists.delete_list(list_id))

    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: "Sequence[Sequence[Cell]]", region: str = "US"
    ) -> "AppendResult":
        """The contacts are in the list, but for those that the result names. **Not safe to run again**: it appends.

        :param fields: the vendor's name of each column, such as ``record_id``, ``phone``, ``first_name``.
        :param values: one row a contact; more than 10,000 go in several requests.
        :param region: ISO 3166 alpha-2 of numbers without a country code.
        :raises AirflowFailException: wrong, refused or in doubt. If some rows are in, or may be, it is caused by an
            AmbiguousError, and the text says which are in, which may be, and which were not sent.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.transport.client import append_all

            with self.get_conn() as client:
                return append_all(client, list_id, fields=fields, values=values, region=region)

    def list_brands(self) -> "tuple[Brand, ...]":
        """The account's brands."""
        return self._ask(lambda vendor: vendor.brands())

    def list_recordings(self, api_allowed: bool | None = None) -> "tuple[Recording, ...]":
        """The account's recordings: all, or those that may (not) be sent through the API."""
        return self._ask(lambda vendor: vendor.recordings(api_allowed=api_allowed))

    def list_media(self) -> "tuple[Recording, ...]":
        """The account's media."""
        return self._ask(lambda vendor: vendor.media())

    def list_pools(self) -> "tuple[Pool, ...]":
        """The account's pools of numbers."""
        return self._ask(lambda vendor: vendor.pools())

    def get_readiness(self) -> "Readiness":
        """What the account may do now: funds, numbers, ``audio_url``, testing mode (API v2)."""
        return self._ask(lambda vendor: vendor.newer.readiness())

    def list_voices(self) -> "tuple[Voice, ...]":
        """The voices that read a text; only those of status ``ready`` can be used (API v2)."""
        return self._ask(lambda vendor: vendor.newer.voices())

    def list_webhooks(self) -> "tuple[Webhook, ...]":
        """The account's webhooks, without their secrets (API v2)."""
        return self._ask(lambda vendor: vendor.newer.webhooks())

    def get_campaign_counts(self, campaign_id: str) -> "Mapping[str, int]":
        """Counts of a campaign that Drop Cowboy itself runs, by their names (API v2)."""
        return self._ask(lambda vendor: vendor.newer.campaign_counts(campaign_id))

    def list_lines(self, kind: 'Literal["voice", "sms"] | None' = None) -> "tuple[Pool, ...]":
        """The account's lines: of voicemails, of texts, or all (API v2)."""
        return self._ask(lambda vendor: vendor.newer.lines(kind))

    def register_webhook(self, hook_url: str, *, event_types: Sequence[str], name: str = "Airflow") -> "Webhook":
        """There is one more webhook; only this answer has its signing secret (API v2).

        For the package's own receiver, run ``dropcowboy receiver --register``, which never makes a second one.
        """
        return self._ask(
            lambda vendor: vendor.newer.register_webhook(hook_url, event_types=tuple(event_types), name=name)
        )

    def rotate_webhook_secret(self, webhook_id: str) -> "Webhook":
        """A webhook has another signing secret; the old one is dead at once (API v2)."""
        return self._ask(lambda vendor: vendor.newer.rotate_secret(webhook_id))

    def delete_webhook(self, webhook_id: str) -> None:
        """A webhook is gone (API v2)."""
        self._ask(lambda vendor: vendor.newer.delete_webhook(webhook_id))

    def get_media(self, media_id: str) -> "Recording":
        """A media file; ``api_allowed`` says whether its bytes are there (API v2)."""
        return self._ask(lambda vendor: vendor.newer.get_media(media_id))

    def upload_media(self, path: "str | PathLike[str]", *, name: str | None = None) -> str:
        """An mp3 or wav file of this machine can be sent (API v2).

        Type and size are checked before any request. A second call makes a second file, which costs nothing.

        :param name: at Drop Cowboy; default: the file's own.
        :returns: its media_id, which is the ``recording_id`` of a voicemail.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.transport.upload import upload_media

            with self.get_conn() as client:
                return upload_media(client, path, name=name)

    def import_media(self, url: str, *, name: str) -> str:
        """An mp3 or wav file of the web is copied to Drop Cowboy and can be sent (API v2).

        :returns: its media_id.
        """
        return self._ask(lambda vendor: vendor.newer.import_media(name, url))

    def list_contacts(
        self, list_id: str | None = None, *, limit: int = 100, offset: int = 0
    ) -> "tuple[StoredContact, ...]":
        """A page of the account's contacts, or of those in a list (API v2)."""
        return self._ask(lambda vendor: vendor.people.list_contacts(list_id, limit=limit, offset=offset))

    def get_contact(self, contact_id: str) -> "StoredContact":
        """A contact: its fields and consents (API v2)."""
        return self._ask(lambda vendor: vendor.people.get_contact(contact_id))

    def update_contact(self, contact_id: str, **fields: str) -> None:
        """A contact has these values (API v2): ``first_name``, ``last_name``, ``email``, ``phone``, ``company``."""
        self._ask(lambda vendor: vendor.people.update_contact(contact_id, **fields))

    def delete_contact(self, contact_id: str) -> None:
        """A contact is gone, for good (API v2)."""
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
        """What a contact agreed to is on record at Drop Cowboy (API v2); one record for each channel.

        :param text: to which the person agreed.
        :returns: the id of the record.
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

    :raises ConfigurationError: it is none; the text does not repeat it.
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
    """Turn what a retry must not repeat, or cannot mend, into Airflow's failure without retry.

    :param is_safe: what is called changes nothing.
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
