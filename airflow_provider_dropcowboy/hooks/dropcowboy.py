"""Single calls of the Drop Cowboy API, for a task's own code and for the connection's Test button."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    DropCowboyError,
    RejectedError,
)
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.account import Account
    from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording, Voice, Webhook
    from airflow_provider_dropcowboy.api.content import Content
    from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList
    from airflow_provider_dropcowboy.api.replies import Call
    from airflow_provider_dropcowboy.api.vendor import Readiness, Vendor
    from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")


class DropCowboyHook(BaseHook):
    """One method a route, typed answers.

    A call that only reads, and one that surely was not carried out, is asked again a few times; a send is not. What is
    wrong, refused or in doubt raises AirflowFailException, so that Airflow does not repeat it; the rest lets it retry.
    """

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

    def test_connection(self) -> tuple[bool, str]:
        """Whether the connection can send, and if not, what is wrong; for people, without any secret."""
        from airflow_provider_dropcowboy.hooks.access import check_access

        try:
            return check_access(self.settings)
        except DropCowboyError as error:
            return False, str(error)

    def send_rvm(
        self,
        *,
        phone_number: str,
        brand_id: str | None = None,
        recording_id: str | None = None,
        voice_id: str | None = None,
        tts_body: str | None = None,
        audio_url: str | None = None,
        audio_type: str | None = None,
        forwarding_number: str | None = None,
        phone_ivr_id: str | None = None,
        pool_id: str | None = None,
        postal_code: str | None = None,
        foreign_id: str | None = None,
        callback_url: str | None = None,
        region: str = "US",
    ) -> str:
        """One voicemail is queued at Drop Cowboy. **Not safe to run again**: every call is another voicemail and bill.

        This is one bare request: no ledger remembers it, and nobody is screened. ``SendRvmOperator`` does both. Make it
        the last thing a task does, and one call a task: a retry of the task repeats the calls before it.

        :param brand_id: default: the connection's; ``pool_id`` likewise, and ``pool_id=""`` is the shared public pool.
            Exactly one audio source is needed.
        :param postal_code: of the US (also as a number: 2101 is ``02101``) or Canada (``K1A 0B1``).
        :param foreign_id: under which the callback reports; default: a random one.
        :param region: ISO 3166 alpha-2 of numbers without a country code.
        :returns: the foreign_id.
        :raises AirflowFailException: wrong, refused, or in doubt (caused by an AmbiguousError): Airflow does not retry.
        :raises NotTakenError: surely not sent; Airflow may retry.
        """
        with _airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.api.content import Rvm

            content = Rvm(
                brand_id=brand_id or self.settings.default_brand_id,
                recording_id=recording_id,
                voice_id=voice_id,
                tts_body=tts_body,
                audio_url=audio_url,
                audio_type=audio_type,
                forwarding_number=forwarding_number and _e164(forwarding_number, "forwarding_number", region=region),
                phone_ivr_id=phone_ivr_id,
                pool_id=(self.settings.default_pool_id if pool_id is None else pool_id) or None,
                postal_code=_postal_code(postal_code, region=region),
                byoc=self.settings.byoc,
            )
            return self._send(phone_number, content, region=region, foreign_id=foreign_id, callback_url=callback_url)

    def send_sms(
        self,
        *,
        phone_number: str,
        sms_body: str,
        caller_id: str,
        opt_in: bool,
        pool_id: str | None = None,
        foreign_id: str | None = None,
        callback_url: str | None = None,
        region: str = "US",
    ) -> str:
        """One text is queued at Drop Cowboy. **Not safe to run again**, and nobody is screened: see :meth:`send_rvm`.

        :param opt_in: that this person agreed to texts; the API takes no others.
        :returns: the foreign_id.
        :raises AirflowFailException: wrong, refused, or in doubt (caused by an AmbiguousError): Airflow does not retry.
        :raises NotTakenError: surely not sent; Airflow may retry.
        """
        with _airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.api.content import Sms

            if opt_in is not True:
                raise ConfigurationError(
                    "A text goes only to people who opted in: opt_in must be True. Nothing was sent."
                )
            content = Sms(
                caller_id=_e164(caller_id, "caller_id", region=region),
                pool_id=pool_id or self.settings.default_pool_id or "",
                sms_body=sms_body,
            )
            return self._send(phone_number, content, region=region, foreign_id=foreign_id, callback_url=callback_url)

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
        with _airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.transport.append import append_all

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

    def _ask(self, build: "Callable[[Vendor], Call[T]]") -> T:
        from airflow_provider_dropcowboy.api.versions import vendor_of

        with _airflow_failures(is_safe=True):
            call = build(vendor_of(self.account))
        with _airflow_failures(is_safe=call.request.is_safe), self.get_conn() as client:
            return client.ask(call)

    def _send(
        self, phone_number: str, content: "Content", *, region: str, foreign_id: str | None, callback_url: str | None
    ) -> str:
        from airflow_provider_dropcowboy.phone import Phone
        from airflow_provider_dropcowboy.transport.send_once import send_once

        phone = Phone(_e164(phone_number, "phone_number", region=region))
        name = uuid.uuid4().hex if foreign_id in (None, "") else foreign_id
        with self.get_conn() as client:
            send_once(client, self.account, phone=phone, content=content, foreign_id=name, callback_url=callback_url)
        return name


def _e164(text: str, name: str, *, region: str) -> str:
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


def _postal_code(value: str | None, *, region: str) -> str | None:
    from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code

    # what cannot be read is left as it is: the check of the content names the field
    return None if value is None else read_postal_code(value, region=region) or value


@contextmanager
def _airflow_failures(*, is_safe: bool) -> Iterator[None]:
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
