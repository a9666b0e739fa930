"""Whether a webhook is the vendor's own, by the vendor's published vectors."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.v2.vendor import SignatureFault, signature_fault
from airflow_provider_dropcowboy.secret import Secret

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "dropcowboy-v2-signature-vectors.json").read_text()
)
NOW = datetime.fromtimestamp(VECTORS["now_seconds_valid"], UTC)
BODY: bytes = VECTORS["raw_body"].encode()


def fault(
    *,
    body: bytes = BODY,
    signature: str | None = VECTORS["signature"],
    timestamp: str | None = VECTORS["timestamp"],
    version: str | None = None,
    secrets: tuple[str, ...] = (VECTORS["secret"],),
    at: datetime = NOW,
) -> SignatureFault | None:
    given = {"x-signature": signature, "x-timestamp": timestamp, "x-signature-version": version}
    headers = {name: value for name, value in given.items() if value is not None}
    return signature_fault(body, headers, secrets=[Secret(text) for text in secrets], at=at)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_every_published_vector_is_judged_as_the_vendor_says(case: dict[str, Any]) -> None:
    found = fault(
        body=VECTORS[case["body"]].encode(),
        signature=case["x_signature"],
        timestamp=case["x_timestamp"],
        version=case["x_signature_version"],
        secrets=tuple(case["secrets"]),
        at=datetime.fromtimestamp(case["now_seconds"], UTC),
    )

    assert (found or "ok") == case["expect"]


@pytest.mark.parametrize("timestamp", ["1774041960.5", "+1774041960", " 1774041960", "١٧٧٤٠٤١٩٦٠", "9" * 5_000, "-1"])
def test_a_timestamp_that_is_no_number_of_seconds_is_stale(timestamp: str) -> None:
    assert fault(timestamp=timestamp) is SignatureFault.STALE


@pytest.mark.parametrize("signature", ["sha256=é", "sha256=", VECTORS["signature"].upper(), VECTORS["signature"] + "0"])
def test_a_signature_in_another_form_is_invalid(signature: str) -> None:
    assert fault(signature=signature) is SignatureFault.INVALID


def test_a_stale_webhook_is_stale_before_its_version_is_looked_at() -> None:
    assert fault(version="v2", at=NOW + timedelta(hours=1)) is SignatureFault.STALE


def test_without_a_secret_nothing_is_trusted() -> None:
    assert fault(secrets=()) is SignatureFault.NOT_CONFIGURED
