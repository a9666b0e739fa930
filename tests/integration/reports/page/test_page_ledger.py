"""The page over a ledger that is not there yet, away, or another one now."""

import shutil
from pathlib import Path

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.integration.reports.page.page_server import PageServer, text_of
from tests.integration.sent import ACCOUNT

SPRING = {"account": ACCOUNT, "campaign": "spring"}


def test_without_a_ledger_it_says_so_until_there_is_one(ledger_url: str) -> None:
    opened: list[Ledger] = []

    def find() -> Ledger:
        opened.append(open_ledger(ledger_url))
        return opened[-1]

    with PageServer(find) as page:
        answer = page.get("campaigns")
        assert answer.status_code == 503
        assert "The first send task creates it" in text_of(answer)
        open_ledger(ledger_url, may_create=True).engine.dispose()
        assert [page.get("campaigns").status_code for _ in range(2)] == [200, 200]
    (found,) = opened
    found.engine.dispose()


def test_a_ledger_that_was_replaced_is_shown_as_it_is_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    opened = open_ledger(url, may_create=True)
    opened.engine.dispose()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    found: list[Ledger] = []

    def find() -> Ledger:
        found.append(open_ledger(url))
        return found[-1]

    with PageServer(find) as page:
        assert page.get("campaigns").status_code == 200
        (tmp_path / "backup.db").replace(tmp_path / "ledger.db")
        assert [page.get("campaigns").status_code for _ in range(2)] == [503, 200]
    found[-1].engine.dispose()
