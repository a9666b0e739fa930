"""What a task of a test names at the sandbox, and how it gets there."""

from typing import Any, Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from tests.sandbox_process import SandboxProcess

VOICEMAIL: Final[dict[str, Any]] = {"brand_id": BRAND_ID, "recording_id": RECORDING_ID}
"""The arguments of a voicemail to somebody."""

CALLBACKS: Final = {"callback_url": "http://127.0.0.1:9", "callback_secret": "callback-secret-1"}
"""The extra of a connection whose results a test brings itself: nobody listens there."""


def connection_to(sandbox: SandboxProcess, *, api: str = "v1") -> dict[str, Any]:
    """The fields of an Airflow connection to it by a version of the API, with a default brand."""
    address = urlsplit(sandbox.base_url)
    return {
        "conn_type": "dropcowboy",
        "login": sandbox.team_id if api == "v1" else sandbox.key,
        "password": sandbox.secret,
        "host": address.hostname,
        "port": address.port,
        "schema": address.scheme,
        "extra": {"default_brand_id": BRAND_ID} | ({} if api == "v1" else {"api_version": api}),
    }
