"""The arguments that only voicemails have, those that only texts have, and those of an alert."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.content import (
    ATTESTATIONS,
    MAX_LONG_SMS_CHARACTERS,
    MAX_SMS_CHARACTERS,
    Channel,
    count_sms_characters,
)
from airflow_provider_dropcowboy.argument_kinds import E164, FLAG, ID, IDS, NAME, PROSE, URL, URLS, choice
from airflow_provider_dropcowboy.arguments import Arguments, Kind, argument, given_of, not_both, wrong
from airflow_provider_dropcowboy.campaign.arguments import POOL, SendArguments
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.contacts.contact import Template
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.content import ContentRules
    from airflow_provider_dropcowboy.campaign.plan import Settings


def _template(name: str, value: object) -> Template:
    text = PROSE.read(name, value)
    try:
        return Template.parse(str(text))
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


TEMPLATE: Final = Kind(_template, is_text=True, metavar="TEXT")


@dataclass(frozen=True, kw_only=True, repr=False)
class RvmArguments(SendArguments):
    """A ringless voicemail for each contact (API v1, ``POST /rvm``)."""

    channel = Channel.RVM

    brand_id: str | None = argument(ID, "Brand to send as. Default: the connection's.")
    recording_id: str | None = argument(
        ID,
        "Audio source: a recording of the account. Give exactly one of `recording_id`, `voice_id` with `tts_body`, and "
        "`audio_url`.",
    )
    media_id: str | None = argument(ID, "Another word for `recording_id`: API v2 has media where v1 has recordings.")
    voice_id: str | None = argument(ID, "Audio source, with `tts_body`: a voice that reads it.")
    tts_body: Template | None = argument(TEMPLATE, "Text to read. `{column}` takes a value of the row.")
    audio_url: str | None = argument(
        URL, "Audio source: a file on the web, where the vendor allows it for the account."
    )
    audio_type: str | None = argument(choice("mp3", "wav"), "Format of the file at `audio_url`.")
    forwarding_number: str | None = argument(
        E164, "Number that a call back goes to, in E.164. Toll-free numbers are best avoided."
    )
    phone_ivr_id: str | None = argument(ID, "The vendor's phone menu for a call back.")
    caller_id: str | None = argument(
        E164, "API v2, for accounts with a carrier of their own (BYOC): number that voicemails are sent from."
    )
    sti_orig_id: str | None = argument(
        ID, "API v2, BYOC: ID of the attestation, with `sti_attestation`. Default: `byoc_secret` of the connection."
    )
    sti_attestation: str | None = argument(choice(*ATTESTATIONS), "API v2, BYOC: how the carrier vouches for a call.")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        given = given_of(values, "recording_id", "media_id", "tts_body", "audio_url")
        if len(given) != 1:
            raise ConfigurationError(
                "Give exactly one audio source: recording_id, or voice_id with tts_body, or audio_url; "
                f"given: {', '.join(given) or 'none'}. Nothing was sent."
            )
        if (values["voice_id"] is not None) != (given == ["tts_body"]):
            raise wrong("voice_id", "and tts_body belong together", "Give both, or another audio source.")
        if len(given_of(values, "sti_orig_id", "sti_attestation")) == 1:
            raise wrong("sti_orig_id", "and sti_attestation belong together", "Give both, or none.")
        if values["audio_type"] is not None and given != ["audio_url"]:
            raise wrong("audio_type", "is given without audio_url", "Leave it out.")

    def template(self, settings: "Settings") -> RvmTemplate:
        """What each contact hears."""
        _check_exists("forwarding_number", self.forwarding_number)
        _check_exists("caller_id", self.caller_id)
        brand_id = self.brand_id or settings.default_brand_id
        rules = _rules_of(settings)
        rules.check_words(
            self.channel,
            brand_id=brand_id,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            contact_id_column=self.contact_id_column,
            caller_id=self.caller_id,
            sti_orig_id=self.sti_orig_id,
            sti_attestation=self.sti_attestation,
        )
        return RvmTemplate(
            brand_id=brand_id,
            recording_id=self.recording_id or self.media_id,
            voice_id=self.voice_id,
            tts_body=self.tts_body,
            audio_url=self.audio_url,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            pool_id=self._pool_id(settings),
            byoc=settings.byoc,
            contact_id=self._contact_id(),
            caller_id=self.caller_id,
            sti_orig_id=self.sti_orig_id,
            sti_attestation=self.sti_attestation,
            max_characters=rules.max_tts_characters,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class SmsArguments(SendArguments):
    """A text for each contact who opted in (API v1, ``POST /sms``)."""

    channel = Channel.SMS

    sms_body: Template | None = argument(
        TEMPLATE,
        f"Text of at most {MAX_SMS_CHARACTERS} characters ({MAX_LONG_SMS_CHARACTERS:,} on API v2). `{{column}}` takes "
        "a value of the row. A row whose text is longer is `invalid`.",
    )
    body: Template | None = argument(TEMPLATE, "Another word for `sms_body`, as API v2 calls it.")
    caller_id: str | None = argument(
        E164, "Number that texts are sent from, in E.164. API v2 knows none: there the line's numbers send."
    )
    media_urls: Sequence[str] | None = argument(
        URLS, "API v2: pictures on the web that go with the text. Write them in a list, or with blanks between them."
    )
    media_ids: Sequence[str] | None = argument(IDS, "API v2: uploaded pictures that go with the text, likewise.")
    opt_in: bool | None = argument(
        FLAG, "True: everybody in the source opted in. Give exactly one of `opt_in` and `opt_in_column`."
    )

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        not_both(values, "sms_body", "body")
        body = values["sms_body"] if values["body"] is None else values["body"]
        if body is None:
            raise wrong("sms_body", "is missing", "Write the text; {column} takes a value of the row.")
        if isinstance(body, Template):
            _check_length(body, MAX_LONG_SMS_CHARACTERS)
        if values["opt_in"] is False:
            raise wrong("opt_in", "is not True", "Write True if all consented, or name the column that says so.")
        if len(given_of(values, "opt_in", "opt_in_column")) != 1:
            raise ConfigurationError(
                "A text goes only to people who opted in: give exactly one of opt_in=True (all of them did) and "
                "opt_in_column (the column that says who did). Nothing was sent."
            )

    def template(self, settings: "Settings") -> SmsTemplate:
        """What each contact reads."""
        _check_exists("caller_id", self.caller_id)
        pool_id = self._pool_id(settings)
        rules = _rules_of(settings)
        rules.check_words(
            self.channel,
            caller_id=self.caller_id,
            pool_id=pool_id,
            contact_id_column=self.contact_id_column,
            media_urls=self.media_urls,
            media_ids=self.media_ids,
        )
        body = self.sms_body or self.body
        assert body is not None
        most = rules.max_text_characters
        _check_length(body, most)
        return SmsTemplate(
            caller_id=self.caller_id,
            pool_id=pool_id,
            sms_body=body,
            contact_id=self._contact_id(),
            media_urls=self.media_urls,
            media_ids=self.media_ids,
            max_characters=most,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class AlertArguments(Arguments):
    """A text about an event, to the on-call."""

    to: str = argument(E164, "Number of the person on call, in E.164.", default="")
    text: str | None = argument(
        PROSE,
        f"At most {MAX_SMS_CHARACTERS} characters; a longer text is cut. Default: what happened to which DAG, task, "
        "and run, and when. The default also goes out if the template of your text fails.",
    )
    caller_id: str | None = argument(
        E164, "Number that texts are sent from, in E.164. API v2 knows none: there the line's numbers send."
    )
    opt_in: bool = argument(FLAG, "True: the owner of this number agreed to texts.", default=False)
    pool_id: str | None = argument(POOL, "Pool of numbers to send from. Default: the connection's.")
    phone_line_id: str | None = argument(POOL, "Another word for `pool_id`: API v2 has lines where v1 has pools.")
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        not_both(values, "pool_id", "phone_line_id")
        if values["opt_in"] is False:
            raise ConfigurationError("A text goes only to people who opted in: opt_in must be True. Nothing was sent.")

    def send(self, campaign: str, text: str) -> SmsArguments:
        """The one send of the alert. No calling hours and no limit of a campaign hold it back."""
        text = text.strip()
        if count_sms_characters(text) > MAX_SMS_CHARACTERS:
            text = text[: MAX_SMS_CHARACTERS - 3]
            while count_sms_characters(text) > MAX_SMS_CHARACTERS - 3:  # an emoji is two
                text = text[:-1]
            text += "..."
        return SmsArguments(
            campaign=campaign,
            sms_body=Template((text,), ()),  # as it is: a brace in an error's text is a brace
            caller_id=self.caller_id,
            opt_in=self.opt_in,
            pool_id=self.pool_id,
            phone_line_id=self.phone_line_id,
            concurrency=1,
            calling_hours="off",
            on_held="leave",
            max_attempts=None,
            repeat_window=None,
            max_reject_rate=None,
            max_unknown_rate=None,
        )


def _rules_of(settings: "Settings") -> "ContentRules":
    """Those of the connection's version of the API; not at parse time, when no connection is known."""
    from airflow_provider_dropcowboy.api.versions import vendor_of

    return vendor_of(settings.account).rules


def _check_exists(name: str, number: str | None) -> None:
    """Refuse a number that no network has assigned; not at parse time, since the tables of numbers take 50 ms."""
    from airflow_provider_dropcowboy.phone import Phone, PhoneError

    if number is None:
        return
    try:
        Phone.parse(number, region="US")
    except PhoneError as error:
        raise wrong(name, f"does not exist: {error}", "Correct it.") from None


def _check_length(body: Template, most: int) -> None:
    shortest = sum(map(count_sms_characters, body.literals))
    if shortest > most:
        raise wrong("sms_body", f"has {shortest} characters without the row's values", f"Drop Cowboy accepts {most}.")
