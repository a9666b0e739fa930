"""Single calls of the Drop Cowboy API, for a task's own code and for the connection's Test button."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.hooks._account import AccountCalls, airflow_failures, e164_of

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.content import Content


class DropCowboyHook(AccountCalls):
    """Calls the Drop Cowboy API: one method for each route, with typed answers.

    A call that only reads, or was not carried out, is repeated a few times; a send is not repeated.
    A call raises AirflowFailException if an argument is wrong, if Drop Cowboy refuses it, or if it is in doubt: then
    Airflow does not retry. Any other error lets Airflow retry.
    """

    def test_connection(self) -> tuple[bool, str]:
        """Whether the connection can send, and a sentence for people about it. The sentence holds no secret."""
        from airflow_provider_dropcowboy.api.versions import vendor_of
        from airflow_provider_dropcowboy.transport.calls import host_of, read_access

        try:
            call = vendor_of(self.account).access(self.settings.default_brand_id)
            with self.get_conn() as client:
                found = read_access(self.account, call, client.call(call.request))
        except DropCowboyError as error:
            return False, str(error)
        return found.is_ready, f"{host_of(self.account)} accepts the credentials. {found.text}"

    def send_rvm(
        self,
        *,
        phone_number: str,
        brand_id: str | None = None,
        recording_id: str | None = None,
        media_id: str | None = None,
        voice_id: str | None = None,
        tts_body: str | None = None,
        audio_url: str | None = None,
        audio_type: str | None = None,
        forwarding_number: str | None = None,
        phone_ivr_id: str | None = None,
        pool_id: str | None = None,
        phone_line_id: str | None = None,
        postal_code: str | None = None,
        contact_id: str | None = None,
        caller_id: str | None = None,
        sti_orig_id: str | None = None,
        sti_attestation: str | None = None,
        foreign_id: str | None = None,
        callback_url: str | None = None,
        region: str = "US",
    ) -> str:
        """Send one voicemail. **Not safe to run again**: every call is another voicemail and another bill.

        This is one bare request: no ledger remembers it, and no rule screens the person. ``SendRvmOperator`` does both.
        Call it once in a task, as the last step: a retry of the task repeats all its calls.

        :param brand_id: default: the connection's.
        :param recording_id: one of the audio sources. Give exactly one of ``recording_id``, ``tts_body`` (with
            ``voice_id``) and ``audio_url``.
        :param pool_id: default: the connection's. ``""`` is the shared public pool.
        :param postal_code: of the US (also as a number: 2101 is ``02101``) or Canada (``K1A 0B1``).
        :param media_id: API v2's word for ``recording_id``; ``phone_line_id`` is its word for ``pool_id``.
        :param contact_id: API v2: the contact to send to; ``phone_number`` must be this contact's.
        :param caller_id: API v2, with a carrier of your own; ``sti_orig_id`` and ``sti_attestation`` too.
        :param foreign_id: your ID of this message, which its result names; default: a random one.
        :param callback_url: where Drop Cowboy posts the result.
        :param region: country of numbers without a country code, as two letters (ISO 3166).
        :returns: the foreign_id.
        :raises AirflowFailException: an argument is wrong, or Drop Cowboy refused the message, or it is in doubt (then
            the cause is an AmbiguousError). Airflow does not retry.
        :raises NotTakenError: the message was not sent; Airflow may retry.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.api.content import Rvm

            content = Rvm(
                brand_id=brand_id or self.settings.default_brand_id,
                recording_id=_one_word(recording_id=recording_id, media_id=media_id),
                voice_id=voice_id,
                tts_body=tts_body,
                audio_url=audio_url,
                audio_type=audio_type,
                forwarding_number=forwarding_number and e164_of(forwarding_number, "forwarding_number", region=region),
                phone_ivr_id=phone_ivr_id,
                pool_id=self._pool_id(_one_word(pool_id=pool_id, phone_line_id=phone_line_id)),
                postal_code=_postal_code(postal_code, region=region),
                byoc=self.settings.byoc,
                contact_id=contact_id,
                caller_id=caller_id and e164_of(caller_id, "caller_id", region=region),
                sti_orig_id=sti_orig_id,
                sti_attestation=sti_attestation,
            )
            return self._send(phone_number, content, region=region, foreign_id=foreign_id, callback_url=callback_url)

    def send_sms(
        self,
        *,
        phone_number: str,
        opt_in: bool,
        sms_body: str | None = None,
        body: str | None = None,
        caller_id: str | None = None,
        pool_id: str | None = None,
        phone_line_id: str | None = None,
        contact_id: str | None = None,
        media_urls: Sequence[str] | None = None,
        media_ids: Sequence[str] | None = None,
        foreign_id: str | None = None,
        callback_url: str | None = None,
        region: str = "US",
    ) -> str:
        """Send one text. **Not safe to run again**, and no rule screens the person: see :meth:`send_rvm`.

        :param opt_in: True: this person agreed to texts. Drop Cowboy refuses others.
        :param body: API v2's word for ``sms_body``.
        :param caller_id: needed on API v1. API v2 has none: the numbers of the line send.
        :param media_urls: API v2: pictures on the web; ``media_ids``: uploaded ones.
        :returns: the foreign_id.
        :raises AirflowFailException: an argument is wrong, or Drop Cowboy refused the message, or it is in doubt (then
            the cause is an AmbiguousError). Airflow does not retry.
        :raises NotTakenError: the message was not sent; Airflow may retry.
        """
        with airflow_failures(is_safe=False):
            from airflow_provider_dropcowboy.api.content import Sms

            if opt_in is not True:
                raise ConfigurationError(
                    "A text goes only to people who opted in: opt_in must be True. Nothing was sent."
                )
            content = Sms(
                caller_id=caller_id and e164_of(caller_id, "caller_id", region=region),
                pool_id=self._pool_id(_one_word(pool_id=pool_id, phone_line_id=phone_line_id)),
                sms_body=_one_word(sms_body=sms_body, body=body) or "",
                contact_id=contact_id,
                media_urls=media_urls,
                media_ids=media_ids,
            )
            return self._send(phone_number, content, region=region, foreign_id=foreign_id, callback_url=callback_url)

    def _pool_id(self, given: str | None) -> str | None:
        return (self.settings.default_pool_id if given is None else given) or None

    def _send(
        self, phone_number: str, content: "Content", *, region: str, foreign_id: str | None, callback_url: str | None
    ) -> str:
        from airflow_provider_dropcowboy.phone import Phone
        from airflow_provider_dropcowboy.transport.calls import send_once

        phone = Phone(e164_of(phone_number, "phone_number", region=region))
        name = uuid.uuid4().hex if foreign_id in (None, "") else foreign_id
        with self.get_conn() as client:
            send_once(client, self.account, phone=phone, content=content, foreign_id=name, callback_url=callback_url)
        return name


def _one_word(**words: str | None) -> str | None:
    """The value that was given, of several words for one thing.

    :raises ConfigurationError: two of them have a value.
    """
    given = {name: value for name, value in words.items() if value is not None}
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} are two words for one thing. Nothing was sent. Give one.")
    return next(iter(given.values()), None)


def _postal_code(value: str | None, *, region: str) -> str | None:
    from airflow_provider_dropcowboy.contacts.key import read_postal_code

    # what cannot be read is left as it is: the check of the content names the field
    return None if value is None else read_postal_code(value, region=region) or value
