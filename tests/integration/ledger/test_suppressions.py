"""The ledger's suppression list, on both databases."""

from collections.abc import Iterator

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.suppressions import find_suppression, suppress, unsuppress
from airflow_provider_dropcowboy.phone import Phone
from tests.integration.sent import Sent, phone


def test_a_suppressed_number_is_not_asked_for_until_it_is_taken_off(ledger: Ledger) -> None:
    assert suppress(ledger, [phone(1), phone(2)], source="command line") == 2
    assert len(Sent(ledger).claim(1, 2, 3)) == 1
    assert unsuppress(ledger, phone(1))
    assert not unsuppress(ledger, phone(1))
    assert len(Sent(ledger).claim(1, 2, 3)) == 1
    assert find_suppression(ledger, phone(1)) is None


def test_adding_again_keeps_the_first_entry(ledger: Ledger) -> None:
    suppress(ledger, [phone(1)], source="command line", reason="by letter")
    before = find_suppression(ledger, phone(1))
    assert suppress(ledger, [phone(1), phone(1), phone(2)], source="import") == 1
    assert find_suppression(ledger, phone(1)) == before


def test_who_opted_out_by_a_callback_stays_listed_by_it(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1])
    sent.tell(1, dnc=True)
    assert suppress(ledger, [phone(1)], source="command line") == 0
    found = find_suppression(ledger, phone(1))
    assert found is not None
    assert found.source == "callback"


def test_any_number_of_numbers_is_added_and_none_is_no_error(ledger: Ledger) -> None:
    assert suppress(ledger, (phone(key) for key in range(12_000)), source="import") == 12_000
    assert suppress(ledger, [], source="import") == 0


def test_an_import_that_ended_early_is_repeated(ledger: Ledger) -> None:
    def broken() -> Iterator[Phone]:
        yield from (phone(key) for key in range(3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        suppress(ledger, broken(), source="import")
    assert suppress(ledger, [phone(key) for key in range(5)], source="import") == 2
