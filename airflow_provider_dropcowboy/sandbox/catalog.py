"""What is built in: brands, recordings and pools that a request may name, numbers with a fixed result, reason codes."""

from collections.abc import Mapping
from typing import Final

BRAND_ID: Final = "b0000000-0000-4000-8000-000000000001"
"""A registered brand that the API may use."""

UNREGISTERED_BRAND_ID: Final = "b0000000-0000-4000-8000-000000000002"
"""A brand with ``registered`` and ``api_allowed`` false; a send that names it is accepted all the same."""

RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000001"
"""A recording that the API may use."""

SECOND_RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000002"
"""Another recording that the API may use."""

UNAPPROVED_RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000003"
"""A recording with ``api_allowed`` false; a send that names it is accepted all the same."""

POOL_ID: Final = "c0000000-0000-4000-8000-000000000001"
"""A pool for voicemails and texts."""

SECOND_POOL_ID: Final = "c0000000-0000-4000-8000-000000000002"
"""A pool of the unregistered brand."""

BRANDS: Final[list[dict[str, object]]] = [
    {
        "brand_id": BRAND_ID,
        "company_name": "Sandbox Dairy Inc.",
        "dba_name": "Sandbox Dairy",
        "registered": True,
        "api_allowed": True,
    },
    {
        "brand_id": UNREGISTERED_BRAND_ID,
        "company_name": "Sandbox Ranch LLC",
        "dba_name": "Sandbox Ranch",
        "registered": False,
        "api_allowed": False,
    },
]

RECORDINGS: Final[list[dict[str, object]]] = [
    {"media_id": RECORDING_ID, "name": "Reminder", "created_at": 1_700_000_000_000, "api_allowed": True},
    {"media_id": SECOND_RECORDING_ID, "name": "Thank you", "created_at": 1_710_000_000_000, "api_allowed": True},
    {"media_id": UNAPPROVED_RECORDING_ID, "name": "Draft", "created_at": 1_720_000_000_000, "api_allowed": False},
]

POOLS: Final[list[dict[str, object]]] = [
    {"pool_id": POOL_ID, "name": "Main line", "brand_id": BRAND_ID, "service_type": "both", "number_count": 12},
    {
        "pool_id": SECOND_POOL_ID,
        "name": "Second line",
        "brand_id": UNREGISTERED_BRAND_ID,
        "service_type": "rvm",
        "number_count": 3,
    },
]

BRAND_IDS: Final = frozenset(str(row["brand_id"]) for row in BRANDS)
RECORDING_IDS: Final = frozenset(str(row["media_id"]) for row in RECORDINGS)
POOL_IDS: Final = frozenset(str(row["pool_id"]) for row in POOLS)

VOICE_ID: Final = "d0000000-0000-4000-8000-000000000001"
"""The voice of API v2 that is ready."""

TEST_NUMBERS: Final = frozenset({"+15045550100", "+15045550101"})
"""API v2: the account's own phones; with ``test_numbers_only`` no other voicemail is sent."""

LIST_ID: Final = "e0000000-0000-4000-8000-000000000001"
"""The contact list of API v2, empty at first."""

SITE_ID: Final = "f0000000-0000-4000-8000-000000000001"
"""The site of API v2 whose tokens open the routes of contacts."""

SMS_LINE_ID: Final = "c0000000-0000-4000-8000-000000000003"
"""The line of API v2 that is for texts; the pools are its other lines."""

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
