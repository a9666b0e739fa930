"""What becomes of a message, and how callbacks and webhooks tell it, in the words of either version.

A number decides its outcome, so that a second run over the same contacts sees the same.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from airflow_provider_dropcowboy.sandbox.protocol import Ask
from airflow_provider_dropcowboy.sandbox.settings import OUTCOMES, Settings

RVM_COST_USD: Final = 0.099  # API v1, delivery callback, the document's example
SMS_COST_USD: Final = 0.02
COMPLIANCE_FEE_USD: Final = 0.0029
TTS_FEE_USD: Final = 0.01

RVM_FAILURES: Final = (("Mailbox full", 4002), ("No voicemail set up", 4001), ("Number not in service", 4004))
SMS_FAILURES: Final = (
    ("Invalid message", 5001),
    ("Spam detected", 4008),
    ("Invalid caller ID or not SMS enabled", 5003),
)
NETWORKS: Final = (
    ("Verizon Wireless:6006 - SVR/2", "wireless"),
    ("T-Mobile USA:6529 - SVR/2", "wireless"),
    ("AT&T Mobility:6010 - SVR/2", "wireless"),
    ("Onvoy:958E - NSR/1", "voip"),
)

CALLER_ID: Final = "+12125550100"
PROOF_URL: Final = "https://api-v2.dropcowboy.com/campaign/public/receipts/sandbox"
WITH_RECEIPT: Final = frozenset({0, 4001, 4002})  # API v2, section 6, contact.rvm.receipt

SIMULATED: Final[Mapping[str, int]] = {
    **{
        f"+1555001{number}": code
        for number, code in (
            *(("0001", 0), ("0002", 4000), ("0004", 4005), ("0005", 4006), ("0006", 4004), ("0090", 4016)),
            *(("0091", 4017), ("0092", 4019), ("0093", 4021), ("0094", 6000), ("0095", 6002), ("0097", 4013)),
            *(("0098", 6005), ("0099", 6011)),
        )
    },
    **{
        f"+1555002{number}": code
        for number, code in (
            *(("0001", 0), ("0003", 4004), ("0005", 4008), ("0090", 4016), ("0091", 4017), ("0092", 6000)),
            *(("0093", 6003), ("0095", 4013), ("0096", 6006), ("0097", 6004), ("0098", 6011), ("0099", 6001)),
        )
    },
}
"""API v2, section 14: the fixed results of the simulated numbers, for voicemails and for texts."""

REASONS: Final[Mapping[int, str]] = {
    0: "",
    3000: "Insufficient funds",
    3001: "Audio not usable",
    3002: "Voice missing or invalid",
    3007: "Invalid credentials",
    3011: "Phone number is not in E.164",
    3012: "Phone number is invalid",
    3013: "Phone line is invalid",
    3014: "audio_url is not allowed",
    3015: "Text missing",
    3016: "BYOC is not enabled",
    3017: "Invalid STI id",
    3018: "Invalid attestation",
    3019: "Invalid callback URL",
    3021: "Text too long",
    3027: "Idempotency key conflict",
    3028: "Idempotency key malformed",
    3033: "Media not found",
    3040: "Test numbers only",
    4000: "Voicemail not detected",
    4001: "Mailbox not set up",
    4002: "Mailbox full",
    4004: "Not reachable",
    4005: "No answer",
    4006: "Busy",
    4008: "Spam detected",
    4010: "No phone line",
    4011: "Outside calling hours",
    4013: "Too many attempts",
    4016: "Do not contact",
    4017: "Known litigator",
    4019: "Number reassigned",
    4021: "Check failed",
    6000: "Use case denied by the carrier",
    6001: "Suspended by the carrier",
    6002: "Pool suspended",
    6003: "Pool not ready",
    6004: "Opt-in flagged",
    6005: "Opt-in revoked",
    6006: "Opt-in pending",
    6011: "Opt-in missing",
}
"""API v2, section 7; the words are the sandbox's own."""


def outcome_of(phone_number: str, shares: Mapping[str, float]) -> str:
    """One of ``OUTCOMES``: over many numbers in these shares, for one number always the same."""
    drawn = fraction("outcome", phone_number)
    for outcome in OUTCOMES:
        drawn -= shares[outcome]
        if drawn < 0:
            return outcome
    return "success"


def v1_callback(ask: Ask, *, outcome: str, take: int) -> dict[str, object]:
    """The callback of one take, with the fields of newer accounts that a reader must be able to ignore.

    :param take: how many times the send was accepted; each time is a drop of its own.
    """
    phone_number, foreign_id = ask.text("phone_number"), ask.text("foreign_id")
    is_success = outcome == "success"
    reason, reason_code = _reason(phone_number, outcome=outcome, is_rvm=ask.route == "rvm")
    network, kind = NETWORKS[int(fraction("network", phone_number) * len(NETWORKS))]
    body: dict[str, object] = {
        "drop_id": blake2b(f"{ask.route} {foreign_id} {phone_number} {take}".encode(), digest_size=12).hexdigest(),
        "phone_number": phone_number,
        "attempt_date": iso_now(),
        "status": "success" if is_success else "failure",
        "reason": reason,
        "dnc": outcome == "dnc",
        "spam": reason == "Spam detected",
        **fees_usd(ask, is_delivered=is_success),
        "network": {"name": network, "type": kind},
        "foreign_id": foreign_id,
        "reason_code": reason_code,
        "product_code": ask.route,
        "team_id": ask.text("team_id"),
        "quantity": 1,
    }
    if ask.body.get("status_format") is not None:
        body["status_code"] = reason_code
    return body


def fees_usd(ask: Ask, *, is_delivered: bool, is_taken: bool = True) -> dict[str, float]:
    """What a message cost, as the callbacks of both versions tell it."""
    cost_usd = RVM_COST_USD if ask.route == "rvm" else SMS_COST_USD
    return {
        "product_cost": cost_usd if is_delivered else 0.0,
        "compliance_fee": COMPLIANCE_FEE_USD if is_taken else 0,
        "tts_fee": TTS_FEE_USD if is_delivered and "tts_body" in ask.body else 0,
    }


def _reason(phone_number: str, *, outcome: str, is_rvm: bool) -> tuple[str, int]:
    match outcome:
        case "success":
            return "", 0
        case "dnc":
            return "Do not call", 4016
        case _:
            failures = RVM_FAILURES if is_rvm else SMS_FAILURES
            return failures[int(fraction("reason", phone_number) * len(failures))]


def iso_now() -> str:
    """Now, as the API writes it: ISO 8601, UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fraction(what: str, phone_number: str) -> float:
    """Evenly spread over 0 ≤ x < 1; the same on every machine, unlike ``hash``."""
    digest = blake2b(f"{what} {phone_number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def is_taken(code: int) -> bool:
    """Whether the message went its way, and neither the request nor the account was at fault."""
    return not (3000 <= code < 4000 or code >= 6000 or code in {4010, 4011, 4013})


def drawn_code(ask: Ask, settings: Settings) -> int | None:
    """The result of a good request: of ``codes``, a simulated number, or the shares; ``None`` is never posted."""
    forced = settings.codes.get(ask.recipient, settings.codes.get("*"))
    if forced is not None:
        return forced
    if ask.recipient in SIMULATED:
        return SIMULATED[ask.recipient]
    match outcome_of(ask.recipient, settings.outcomes):
        case "success":
            return 0
        case "silent":
            return None
        case "dnc":
            return 4016
        case _:
            codes = (4002, 4001, 4004) if ask.route == "rvm" else (4008, 4004)
            return codes[int(fraction("reason", ask.recipient) * len(codes))]


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
            "reason": REASONS.get(code, "Failed"),
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
            **fees_usd(self._ask, is_delivered=self.code == 0, is_taken=is_taken(self.code)),
            "dnc": self.code == 4016,
            "attempt_date": iso_now(),
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
        now, number, team_id = iso_now(), self._ask.recipient, self._common["team_id"]
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
