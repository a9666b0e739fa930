"""One campaign whose sends stand in every state, on each database."""

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger
from tests.integration.sent import Sent


@pytest.fixture
def sent(ledger: Ledger) -> Sent:
    """Campaign "spring", of which nobody was asked yet; its run lives."""
    return Sent(ledger)
