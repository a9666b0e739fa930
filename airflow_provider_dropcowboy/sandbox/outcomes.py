"""What becomes of a message, and the callback that tells it.

A number decides its outcome, so that a second run over the same contacts sees the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from airflow_provider_dropcowboy.sandbox.settings import OUTCOMES
from airflow_provider_dropcowboy.sandbox.wire import Ask

RVM_COST_USD: Final = 0.099  # API v1, delivery callback, the document's example
SMS_COST_USD: Final = 0.02
COMPLIANCE_FEE_USD: Final = 0.0029
TTS_FEE_USD: Final = 0.01

RVM_FAILURES: Final = (
    ("Mailbox full", 4002),
    ("No voicemail set up", 4001),
    ("Number not in service", 4003),
)
SMS_FAILURES: Final = (
    ("Invalid message", 5001),
    ("Spam detected", 5002),
    ("Invalid caller ID or not SMS enabled", 5003),
)
NETWORKS: Final = (
    ("Verizon Wireless:6006 - SVR/2", "wireless"),
    ("T-Mobile USA:6529 - SVR/2", "wireless"),
    ("AT&T Mobility:6010 - SVR/2", "wireless"),
    ("Onvoy:958E - NSR/1", "voip"),
)


def outcome_of(phone_number: str, shares: Mapping[str, float]) -> str:
    """One of ``OUTCOMES``: over many numbers in these shares, for one number always the same."""
    drawn = _fraction("outcome", phone_number)
    for outcome in OUTCOMES:
        drawn -= shares[outcome]
        if drawn < 0:
            return outcome
    return "success"


def callback_body(ask: Ask, *, outcome: str, take: int) -> dict[str, object]:
    """The callback of one take, with the fields of newer accounts that a reader must be able to ignore.

    :param take: how many times the send has been taken; each take is a drop of its own.
    """
    phone_number = ask.text("phone_number")
    foreign_id = ask.text("foreign_id")
    is_success = outcome == "success"
    is_rvm = ask.route == "rvm"
    reason, reason_code = _reason(phone_number, outcome=outcome, is_rvm=is_rvm)
    network, kind = NETWORKS[int(_fraction("network", phone_number) * len(NETWORKS))]
    cost_usd = (RVM_COST_USD if is_rvm else SMS_COST_USD) if is_success else 0.0
    body: dict[str, object] = {
        "drop_id": blake2b(f"{ask.route} {foreign_id} {phone_number} {take}".encode(), digest_size=12).hexdigest(),
        "phone_number": phone_number,
        "attempt_date": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": "success" if is_success else "failure",
        "reason": reason,
        "dnc": outcome == "dnc",
        "spam": reason == "Spam detected",
        "product_cost": cost_usd,
        "compliance_fee": COMPLIANCE_FEE_USD,
        "tts_fee": TTS_FEE_USD if is_success and "tts_body" in ask.body else 0,
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


def _reason(phone_number: str, *, outcome: str, is_rvm: bool) -> tuple[str, int]:
    match outcome:
        case "success":
            return "", 0
        case "dnc":
            return "Do not call", 4004
        case _:
            failures = RVM_FAILURES if is_rvm else SMS_FAILURES
            return failures[int(_fraction("reason", phone_number) * len(failures))]


def _fraction(what: str, phone_number: str) -> float:
    """Evenly spread over 0 ≤ x < 1; the same on every machine, unlike ``hash``."""
    digest = blake2b(f"{what} {phone_number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
