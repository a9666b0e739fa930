"""The sending routes. API v1 judges a message at once; API v2 answers 202 to nearly everything, and tells it later."""

import json
import re
from collections import Counter, deque
from collections.abc import Collection, Mapping
from functools import partial
from hashlib import sha256
from typing import Final

from airflow_provider_dropcowboy.sandbox import catalog, protocol
from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks, Webhooks
from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, Answer, Ask, RefusedError
from airflow_provider_dropcowboy.sandbox.results import SIMULATED, Result, drawn_code, is_taken, outcome_of, v1_callback
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.state import Clock, State

MAX_FOREIGN_ID_CHARACTERS: Final = 256  # API v1, POST /rvm, foreign_id
MAX_SMS_CHARACTERS: Final = 160  # API v1, POST /sms, sms_body
AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type
AUDIO_SOURCES: Final = ("recording_id", "tts_body", "audio_url")

MAX_V2_TTS_CHARACTERS: Final = 1_200  # API v2, POST /rvm, tts_body
MAX_V2_SMS_CHARACTERS: Final = 1_600  # API v2, POST /sms, body
MEMORY_S: Final = 24 * 3600.0  # API v2, section 3: keys are kept for 24 hours
MAX_KEY_CHARACTERS: Final = 255  # API v2, section 3

_POSTAL_CODE = re.compile(r"[0-9]{5}(-[0-9]{4})?|[A-Za-z][0-9][A-Za-z] ?[0-9][A-Za-z][0-9]")
_NOT_NANP = re.compile(r"\+1(?![2-9][0-9]{2}[2-9][0-9]{6}$)")


class V1Sends:
    """Judges a send, counts it as accepted and sees to its callback."""

    def __init__(self, state: State, callbacks: Callbacks) -> None:
        self._state = state
        self._callbacks = callbacks

    def rvm(self, ask: Ask) -> Answer:
        """Take one ringless voicemail.

        :raises RefusedError: 401 or 400; nothing was sent.
        """
        self._require_sender(ask)
        protocol.required_text(ask, "foreign_id", max_characters=MAX_FOREIGN_ID_CHARACTERS)
        _require_known(ask, "brand_id", known=catalog.BRAND_IDS, is_required=True)
        protocol.require_e164(ask, "phone_number")
        _require_one_audio_source(ask)
        if ask.body.get("forwarding_number") is not None:
            protocol.require_e164(ask, "forwarding_number")
        protocol.optional_text(ask, "phone_ivr_id")
        _require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=False)
        _require_postal_code(ask)
        protocol.require_url(ask, "callback_url")
        if not isinstance(ask.body.get("byoc", {}), dict):
            raise RefusedError(400, "Invalid byoc: must be an object", field_name="byoc")
        return self._take(ask)

    def sms(self, ask: Ask) -> Answer:
        """Take one text message.

        :raises RefusedError: 401 or 400; nothing was sent.
        """
        self._require_sender(ask)
        protocol.require_e164(ask, "phone_number")
        protocol.require_e164(ask, "caller_id")
        _require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=True)
        protocol.required_text(ask, "sms_body", max_characters=MAX_SMS_CHARACTERS)
        if ask.body.get("opt_in") is not True:
            raise RefusedError(400, "Invalid opt_in: must be true", field_name="opt_in")
        protocol.optional_text(ask, "foreign_id", max_characters=MAX_FOREIGN_ID_CHARACTERS)
        protocol.require_url(ask, "callback_url")
        return self._take(ask)

    def _require_sender(self, ask: Ask) -> None:
        protocol.require_body(ask)
        given = ask.text("team_id"), ask.text("secret")  # the two sending routes read credentials nowhere else
        if not self._state.settings.is_account(*given, is_v2=False):
            raise RefusedError(401, "Unauthorized")

    def _take(self, ask: Ask) -> Answer:
        send = self._state.take(ask)
        outcome = outcome_of(ask.recipient, self._state.settings.outcomes)
        make_body = partial(v1_callback, ask, outcome=outcome, take=send.takes)
        self._callbacks.tell(ask, send, outcome=outcome, make_body=make_body)
        return QUEUED


def _require_one_audio_source(ask: Ask) -> None:
    given = [name for name in AUDIO_SOURCES if ask.body.get(name) is not None]
    if len(given) != 1:
        raise RefusedError(
            400,
            "Exactly one audio source is required: recording_id, or voice_id and tts_body, or audio_url",
            field_name=given[1] if given else "recording_id",
        )
    source = given[0]
    protocol.required_text(ask, source)
    if source == "recording_id":
        _require_known(ask, "recording_id", known=catalog.RECORDING_IDS, is_required=True)
    if source == "tts_body":
        protocol.required_text(ask, "voice_id")
    elif ask.body.get("voice_id") is not None:
        raise RefusedError(400, "Invalid voice_id: it belongs to tts_body", field_name="voice_id")
    if source == "audio_url":
        protocol.require_url(ask, "audio_url")
    audio_type = protocol.optional_text(ask, "audio_type")
    if audio_type is not None and audio_type not in AUDIO_TYPES:
        raise RefusedError(400, "Invalid audio_type: mp3 or wav", field_name="audio_type")


def _require_known(ask: Ask, name: str, *, known: Collection[str], is_required: bool) -> None:
    """A field that names one of the account's own things."""
    value = protocol.required_text(ask, name) if is_required else protocol.optional_text(ask, name)
    if value is not None and value not in known:
        raise RefusedError(400, f"Invalid {name}", field_name=name)


def _require_postal_code(ask: Ask) -> None:
    """``postal_code``, where given, is like ``02101``, ``90210-0001`` or ``K1A 0B1``."""
    value = protocol.optional_text(ask, "postal_code")
    if value is not None and not _POSTAL_CODE.fullmatch(value):
        raise RefusedError(400, "Invalid postal_code", field_name="postal_code")


class V2Sends:
    """Answers a send, judges it, and sees to its callback and webhooks."""

    def __init__(self, state: State, *, callbacks: Callbacks, webhooks: Webhooks, account: catalog.Account) -> None:
        self._state = state
        self._callbacks = callbacks
        self._webhooks = webhooks
        self._account = account
        self.keys = Keys(state.clock)
        self.by_code: Counter[int] = Counter()

    def reset(self) -> None:
        """No send was seen, and no key."""
        self.keys.reset()
        self.by_code.clear()

    def send(self, ask: Ask) -> Answer:
        """``POST /rvm`` and ``POST /sms``.

        :raises RefusedError: 401 without any credentials, 400 for a body that is no JSON object; nothing was sent.
        """
        if not ask.headers.get("x-key") and not ask.headers.get("x-secret"):
            raise RefusedError(401, "Unauthorized")
        protocol.require_body(ask)
        settings = self._state.settings
        if not settings.is_account(ask.headers.get("x-key", ""), ask.headers.get("x-secret", ""), is_v2=True):
            self._tell(ask, 3007)
            return protocol.queued()
        code = self.keys.code_of(ask)
        if code == 0:
            code = fault_of(ask, settings, media=self._account.media, lines=self._account.lines)
            self._tell(ask, code or drawn_code(ask, settings))
        elif code is not None:
            self._tell(ask, code)
        return protocol.queued()

    def _tell(self, ask: Ask, code: int | None) -> None:
        send = self._state.take(ask) if code is None or is_taken(code) else self._state.send(ask)
        if code is None:
            self._callbacks.tell(ask, send, outcome="silent", make_body=dict)
            return
        self.by_code[code] += 1
        settings = self._state.settings
        result = Result(ask, code, take=send.takes, settings=settings)
        self._callbacks.tell(ask, send, outcome=result.outcome, make_body=result.callback)
        # API v2, section 4: bad credentials are no account's, so no webhook hears of them
        if code != 3007:
            for event, told in result.events():
                self._webhooks.emit(event, told, delay_s=settings.callback_delay_s)


class Keys:
    """The memory of idempotency keys: fingerprints by key, for 24 hours of the sandbox's clock.

    :ivar counts: ``first``: of keys that were not in the memory; each is carried out. ``repeated``: of keys in the
        memory with the same request; nothing is sent again. ``conflicts``: of keys in the memory with another request
        (3027). ``malformed``: of keys that are none (3028).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """No key was used."""
        self._fingerprints: dict[str, bytes] = {}
        self._ends: deque[tuple[float, str]] = deque()
        self.counts = Counter(first=0, repeated=0, conflicts=0, malformed=0)

    def shown(self) -> dict[str, int]:
        """The counts, and how many keys are in the memory."""
        return {**self.counts, "kept": len(self._fingerprints)}

    def code_of(self, ask: Ask) -> int | None:
        """0: carry it out. ``None``: it was carried out before. Else what is wrong with its key."""
        if not ask.key:
            return 0
        if len(ask.key) > MAX_KEY_CHARACTERS or not ask.key.isascii() or not ask.key.isprintable():
            self.counts["malformed"] += 1
            return 3028
        now_s = self._clock.now_s()
        while self._ends and self._ends[0][0] <= now_s:
            del self._fingerprints[self._ends.popleft()[1]]
        fingerprint = sha256(f"{ask.route} {json.dumps(ask.body, sort_keys=True)}".encode()).digest()
        known = self._fingerprints.get(ask.key)
        if known is None:
            self._fingerprints[ask.key] = fingerprint
            self._ends.append((now_s + MEMORY_S, ask.key))
            self.counts["first"] += 1
            return 0
        if known == fingerprint:
            self.counts["repeated"] += 1
            return None
        self.counts["conflicts"] += 1
        return 3027


def fault_of(ask: Ask, settings: Settings, *, media: Mapping[str, bool], lines: Mapping[str, object]) -> int:
    """The code of what is wrong with a request; 0 when nothing is.

    :param media: by id, whether the file is there.
    """
    # the vendor does not say what it does with both, or with a contact that is not there
    if ("to" in ask.body) == ("contact_id" in ask.body):
        return 3011
    if code := _fault_of_number(ask.recipient):
        return code
    if settings.test_numbers_only and ask.route == "rvm" and ask.recipient not in catalog.TEST_NUMBERS:
        return 3040
    if settings.funds_usd <= 0:
        return 3000
    line = ask.body.get("phone_line_id")
    if line is not None and line not in lines:
        return 3013
    url = ask.body.get("callback_url")
    if url is not None and not _is_url(url):
        return 3019
    return _fault_of_voicemail(ask, settings, media=media) if ask.route == "rvm" else _fault_of_text(ask, media=media)


def _fault_of_number(number: str) -> int:
    if number in SIMULATED:
        return 0
    if not protocol.E164.fullmatch(number):
        return 3011
    return 3012 if _NOT_NANP.match(number) else 0


def _fault_of_voicemail(ask: Ask, settings: Settings, *, media: Mapping[str, bool]) -> int:
    body = ask.body
    if (byoc := body.get("byoc")) is not None:
        if not settings.byoc:
            return 3016
        if not isinstance(byoc, dict) or not byoc.get("sti_orig_id"):
            return 3017
        if byoc.get("sti_attestation") not in {"A", "B", "C"}:
            return 3018
    given = [name for name in ("media_id", "tts_body", "voice_id", "audio_url") if body.get(name)]
    if given == ["media_id"]:
        return 0 if media.get(ask.text("media_id")) else 3033
    if given == ["audio_url"]:
        if not settings.audio_url_allowed:
            return 3014
        return 0 if _is_url(body["audio_url"]) else 3001
    if given == ["voice_id"]:
        return 3015
    if given == ["tts_body"] or (given == ["tts_body", "voice_id"] and body["voice_id"] != catalog.VOICE_ID):
        return 3002
    if given == ["tts_body", "voice_id"]:
        return 3021 if protocol.length_of(ask.text("tts_body")) > MAX_V2_TTS_CHARACTERS else 0
    return 3001


def _fault_of_text(ask: Ask, *, media: Mapping[str, bool]) -> int:
    if not ask.text("body").strip():
        return 3015
    if protocol.length_of(ask.text("body")) > MAX_V2_SMS_CHARACTERS:
        return 3021
    urls, ids = ask.body.get("media_urls", []), ask.body.get("media_ids", [])
    if not isinstance(urls, list) or not isinstance(ids, list) or not all(_is_url(url) for url in urls):
        return 3001
    return 0 if all(media.get(str(found)) for found in ids) else 3033


def _is_url(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+\S*", value) is not None
