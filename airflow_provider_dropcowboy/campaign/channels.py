"""The arguments that only voicemails have, those that only texts have, and those of an alert."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.api.content import MAX_SMS_CHARACTERS, Channel, count_sms_characters
from airflow_provider_dropcowboy.argument_kinds import E164, FLAG, ID, NAME, PROSE, URL, choice
from airflow_provider_dropcowboy.arguments import Arguments, Kind, argument, given_of, wrong
from airflow_provider_dropcowboy.campaign.arguments import POOL, SendArguments, Settings
from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.contacts.text import Template
from airflow_provider_dropcowboy.errors import ConfigurationError


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

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        given = given_of(values, "recording_id", "tts_body", "audio_url")
        if len(given) != 1:
            raise ConfigurationError(
                "Give exactly one audio source: recording_id, or voice_id with tts_body, or audio_url; "
                f"given: {', '.join(given) or 'none'}. Nothing was sent."
            )
        if (values["voice_id"] is not None) != (given == ["tts_body"]):
            raise wrong("voice_id", "and tts_body belong together", "Give both, or another audio source.")
        if values["audio_type"] is not None and given != ["audio_url"]:
            raise wrong("audio_type", "is given without audio_url", "Leave it out.")

    def template(self, settings: Settings) -> RvmTemplate:
        """What each contact hears."""
        _check_exists("forwarding_number", self.forwarding_number)
        brand_id = self.brand_id or settings.default_brand_id
        if not brand_id:
            raise _missing("brand_id", "`dropcowboy brands` lists those of the account.")
        return RvmTemplate(
            brand_id=brand_id,
            recording_id=self.recording_id,
            voice_id=self.voice_id,
            tts_body=self.tts_body,
            audio_url=self.audio_url,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            pool_id=self._pool_id(settings),
            byoc=settings.byoc,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class SmsArguments(SendArguments):
    """A text for each contact who opted in (API v1, ``POST /sms``)."""

    channel = Channel.SMS

    sms_body: Template | None = argument(
        TEMPLATE,
        f"Text of at most {MAX_SMS_CHARACTERS} characters. `{{column}}` takes a value of the row. A row whose text "
        "is longer is `invalid`.",
    )
    caller_id: str | None = argument(E164, "Number that texts are sent from, in E.164.")
    opt_in: bool | None = argument(
        FLAG, "True: everybody in the source opted in. Give exactly one of `opt_in` and `opt_in_column`."
    )

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        body = values["sms_body"]
        if body is None:
            raise wrong("sms_body", "is missing", "Write the text; {column} takes a value of the row.")
        shortest = sum(map(count_sms_characters, body.literals)) if isinstance(body, Template) else 0
        if shortest > MAX_SMS_CHARACTERS:
            raise wrong(
                "sms_body",
                f"has {shortest} characters without the row's values",
                f"The vendor takes {MAX_SMS_CHARACTERS}.",
            )
        if values["caller_id"] is None:
            raise wrong("caller_id", "is missing", "Write the number that texts are sent from, such as +15045550100.")
        if values["opt_in"] is False:
            raise wrong("opt_in", "is not True", "Write True if all consented, or name the column that says so.")
        if len(given_of(values, "opt_in", "opt_in_column")) != 1:
            raise ConfigurationError(
                "A text goes only to people who opted in: give exactly one of opt_in=True (all of them did) and "
                "opt_in_column (the column that says who did). Nothing was sent."
            )

    def template(self, settings: Settings) -> SmsTemplate:
        """What each contact reads."""
        _check_exists("caller_id", self.caller_id)
        pool_id = self._pool_id(settings)
        if pool_id is None:
            raise _missing("pool_id", "`dropcowboy pools` lists those of the account.")
        assert self.sms_body is not None
        assert self.caller_id is not None
        return SmsTemplate(caller_id=self.caller_id, pool_id=pool_id, sms_body=self.sms_body)


@dataclass(frozen=True, kw_only=True, repr=False)
class AlertArguments(Arguments):
    """A text about an event, to the on-call."""

    to: str = argument(E164, "Number of the person on call, in E.164.", default="")
    text: str | None = argument(
        PROSE,
        f"At most {MAX_SMS_CHARACTERS} characters; a longer text is cut. Default: what happened to which DAG, task, "
        "and run, and when. The default also goes out if the template of your text fails.",
    )
    caller_id: str = argument(E164, "Number that texts are sent from, in E.164.", default="")
    opt_in: bool = argument(FLAG, "True: the owner of this number agreed to texts.", default=False)
    pool_id: str | None = argument(POOL, "Pool of numbers to send from. Default: the connection's.")
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
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
            concurrency=1,
            calling_hours="off",
            on_held="leave",
            max_attempts=None,
            repeat_window=None,
            max_reject_rate=None,
            max_unknown_rate=None,
        )


def _check_exists(name: str, number: str | None) -> None:
    """Refuse a number that no network has assigned; not at parse time, since the tables of numbers take 50 ms."""
    from airflow_provider_dropcowboy.phone import Phone, PhoneError

    if number is None:
        return
    try:
        Phone.parse(number, region="US")
    except PhoneError as error:
        raise wrong(name, f"does not exist: {error}", "Correct it.") from None


def _missing(name: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is given neither here nor by the connection's default_{name}. Nothing was sent. {remedy}"
    )
