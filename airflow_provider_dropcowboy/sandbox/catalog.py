"""The account's built-in brands, recordings and pools: what a request to the sandbox may name."""

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
