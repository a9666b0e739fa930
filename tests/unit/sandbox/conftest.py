"""The sandbox's parts and requests to them, without a socket."""

import pytest

from airflow_provider_dropcowboy.sandbox.protocol import Ask
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from tests.unit.sandbox.asks import HEADERS, RVM, SMS, MakeAsk, ask


@pytest.fixture
def vendor() -> Vendor:
    """A stand-in with its usual settings."""
    return Vendor(Settings())


@pytest.fixture
def rvm_ask() -> MakeAsk:
    """Makes a good voicemail's request; a field set to ``None`` is left out."""
    return lambda **changes: ask("rvm", {**RVM, **changes})


@pytest.fixture
def sms_ask() -> MakeAsk:
    """Makes a good text's request; a field set to ``None`` is left out."""
    return lambda **changes: ask("sms", {**SMS, **changes})


@pytest.fixture
def list_ask() -> MakeAsk:
    """Makes a request to a list's route."""
    return lambda route, list_id="", **body: Ask(route, HEADERS, body=body, item_id=list_id)
