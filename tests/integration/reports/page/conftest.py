"""The report page of a ledger, on each database."""

from collections.abc import Iterator

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger
from tests.integration.reports.page.page_server import PageServer


@pytest.fixture
def page(ledger: Ledger) -> Iterator[PageServer]:
    with PageServer(lambda: ledger) as server:
        yield server
