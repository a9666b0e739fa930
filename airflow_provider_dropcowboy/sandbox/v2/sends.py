"""The sending routes of API v2: 202 to nearly everything, and the verdict later, by callback and webhooks."""

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from airflow_provider_dropcowboy.sandbox import callbacks, catalog
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, is_account, queued, require_body
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.state import State
from airflow_provider_dropcowboy.sandbox.v2.account import Account
from airflow_provider_dropcowboy.sandbox.v2.webhooks import Webhooks

MAX_TTS_CHARACTERS: Final = 1_200  # API v2, POST /rvm, tts_body
MAX_SMS_CHARACTERS: Final = 1_600  # API v2, POST /sms, body
CALLER_ID: Final = "+12125550100"
PROOF_URL: Final = "https://api-v2.dropcowboy.com/campaign/public/receipts/sandbox"

WITH_RECEIPT: Final = frozenset({0, 4001, 4002})  # API v2, section 6, contact.rvm.receipt

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NOT_NANP = re.compile(r"\+1(?![2-9][0-9]{2}[2-9][0-9]{6}$)")


class Sends:
    """Answers a send, judges it, and sees to its callback and webhooks."""

    def __init__(self, state: State, *, callbacks: callbacks.Callbacks, webhooks: Webhooks, account: Account) -> None:
        self._state = state
        self._callbacks = callbacks
        self._webhooks = webhooks
        self._account = account
        self.by_code: Counter[int] = Counter()

    def reset(self) -> None:
        """No send was seen."""
        self.by_code.clear()

    def send(self, ask: Ask) -> Answer:
        """``POST /rvm`` and ``POST /sms``.

        :raises RefusedError: 401 without any credentials, 400 for a body that is no JSON object; nothing was sent.
        """
        if not ask.headers.get("x-key") and not ask.headers.get("x-secret"):
            raise RefusedError(401, "Unauthorized")
        require_body(ask)
        settings = self._state.settings
        if not is_account(ask, settings):
            self._tell(ask, 3007)
            return queued()
        code = self._state.keys.code_of(ask)
        if code == 0:
            code = fault_of(ask, settings, media=self._account.media, lines=self._account.lines)
            self._tell(ask, code or drawn_code(ask, settings))
        elif code is not None:
            self._tell(ask, code)
        return queued()

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


def is_taken(code: int) -> bool:
    """Whether the message went its way, and neither the request nor the account was at fault."""
    return not (3000 <= code < 4000 or code >= 6000 or code in {4010, 4011, 4013})


def drawn_code(ask: Ask, settings: Settings) -> int | None:
    """The result of a good request: of ``codes``, a simulated number, or the shares; ``None`` is never posted."""
    forced = settings.codes.get(ask.recipient, settings.codes.get("*"))
    if forced is not None:
        return forced
    if ask.recipient in catalog.SIMULATED:
        return catalog.SIMULATED[ask.recipient]
    match callbacks.outcome_of(ask.recipient, settings.outcomes):
        case "success":
            return 0
        case "silent":
            return None
        case "dnc":
            return 4016
        case _:
            codes = (4002, 4001, 4004) if ask.route == "rvm" else (4008, 4004)
            return codes[int(callbacks.fraction("reason", ask.recipient) * len(codes))]


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
    if number in catalog.SIMULATED:
        return 0
    if not _E164.fullmatch(number):
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
        return 3021 if _length(ask.text("tts_body")) > MAX_TTS_CHARACTERS else 0
    return 3001


def _fault_of_text(ask: Ask, *, media: Mapping[str, bool]) -> int:
    if not ask.text("body").strip():
        return 3015
    if _length(ask.text("body")) > MAX_SMS_CHARACTERS:
        return 3021
    urls, ids = ask.body.get("media_urls", []), ask.body.get("media_ids", [])
    if not isinstance(urls, list) or not isinstance(ids, list) or not all(_is_url(url) for url in urls):
        return 3001
    return 0 if all(media.get(str(found)) for found in ids) else 3033


def _is_url(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+\S*", value) is not None


def _length(text: str) -> int:
    # as Node counts: an emoji is two
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class Result:
    """One result, as the callback and the webhooks bring it.

    :param take: how many times the send was accepted; each time is a drop of its own.
    """

    def __init__(self, ask: Ask, code: int, *, take: int, settings: Settings) -> None:
        self._ask = ask
        self.code = code
        # API v2, POST /rvm: ignored on retail accounts, and a line wins
        is_own = settings.byoc and ask.route == "rvm" and not ask.text("phone_line_id")
        self._caller_id = (is_own and ask.text("caller_id")) or CALLER_ID
        name = f"{ask.route} {ask.text('foreign_id')} {ask.key} {ask.recipient} {take} {code}"
        self._common: dict[str, object] = {
            "drop_id": blake2b(name.encode(), digest_size=12).hexdigest(),
            "team_id": settings.team_id,
            "contact_id": ask.text("contact_id") or str(uuid.uuid5(uuid.NAMESPACE_OID, ask.recipient)),
            "status": "success" if code == 0 else "failure",
            "reason": catalog.REASONS.get(code, "Failed"),
            "reason_code": code,
        }
        is_recorded = ask.route == "rvm" and code in WITH_RECEIPT
        self._proof = {"proof_of_delivery_url": PROOF_URL} if is_recorded else {}

    @property
    def outcome(self) -> str:
        """For the counts: ``success``, ``dnc``, ``failure``, or the code of a request that was at fault."""
        if not is_taken(self.code):
            return str(self.code)
        return {0: "success", 4016: "dnc"}.get(self.code, "failure")

    def callback(self) -> dict[str, object]:
        """The flat object that goes to ``callback_url``: the only one with ``foreign_id``."""
        return {
            **self._common,
            **self._proof,
            "session_id": str(uuid.uuid4()),
            "log_id": str(uuid.uuid4()),
            "foreign_id": self._ask.text("foreign_id"),
            "phone_number": self._ask.recipient,
            "caller_id": self._caller_id,
            "product_code": self._ask.route,
            "quantity": 1,
            **callbacks.fees_usd(self._ask, is_delivered=self.code == 0, is_taken=is_taken(self.code)),
            "dnc": self.code == 4016,
            "attempt_date": callbacks.iso_now(),
        }

    def events(self) -> list[tuple[str, dict[str, object]]]:
        """The webhooks of it, by the names of their events; none has the ``foreign_id``."""
        told = {
            **self._common,
            "campaign_id": None,
            "campaign_type": self._ask.route,
            "to": self._ask.recipient,
            "from": self._caller_id,
        }
        events = [(f"contact.{self._ask.route}.status", told)]
        if self._proof:
            events.append(("contact.rvm.receipt", {**told, **self._proof, **self._people()}))
        return events

    def _people(self) -> dict[str, object]:
        """Whom a receipt names. It is the one event with a person's names (API v2, section 6)."""
        now, number, team_id = callbacks.iso_now(), self._ask.recipient, self._common["team_id"]
        names = {"first_name": "Ann", "last_name": "Sandbox"}
        ids = {"contact_id": self._common["contact_id"], "drop_id": self._common["drop_id"]}
        return {
            "receipt_ready_at": now,
            "user_id": "sandbox-user",
            "list_id": None,
            "list": None,
            "team": {"team_id": team_id, "name": "Sandbox"},
            "user": {"user_id": "sandbox-user", "username": "ann", **names, "email": "ann@sandbox.example"},
            "contact": {
                "contact_id": ids["contact_id"], "uid": ids["contact_id"], "main_phone": number, **names,
                "mobile_phone": number, "tags": [], "list_ids": [],
            },
            "campaign_session": {
                **ids, "team_id": team_id, "phone_number": number, "caller_id": self._caller_id, "product_code": "rvm",
                "dispo": {"status": self._common["status"], "reason": self._common["reason"], "delivered_at": now,
                          "dnc": False},
            },
        }  # fmt: skip
