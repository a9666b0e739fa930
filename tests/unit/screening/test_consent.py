"""Whether a row says that its person consented."""

from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_dropcowboy.screening.screen import Consent, has_consent, read_kinds


@pytest.mark.parametrize("value", [True, 1, 1.0, Decimal(1), Decimal("1.00"), "true", "TRUE", " t ", "yes", "Y", "1"])
def test_a_clear_yes_is_a_consent(value: object) -> None:
    assert has_consent(value)


@pytest.mark.parametrize(
    "value",
    [False, None, 0, 2, -1, 0.5, float("nan"), "", " ", "no", "false", "0", "maybe", "yes, but", "on", "2026-11-24",
     Decimal("0.5"), Decimal("NaN"), Decimal("sNaN"), date(2026, 11, 24), b"yes", [True], {"yes": True}],
)  # fmt: skip
def test_anything_else_is_none(value: object) -> None:
    assert not has_consent(value)


@pytest.mark.parametrize(
    ("cell", "kinds"),
    [
        ("express", {"express"}),
        (" Written ", {"written", "express"}),  # who signed also said so
        ("relationship", {"relationship"}),
        ("express, relationship", {"express", "relationship"}),
        ("express and relationship", {"express", "relationship"}),
        ("written+relationship", {"written", "express", "relationship"}),
        (Consent.EXPRESS, {"express"}),
        *(
            (cell, set())
            for cell in (None, "", "none", "no", "not express", "express?", "oral", True, 1, "yes", b"express")
        ),
    ],
)
def test_a_cell_gives_the_kinds_of_consent_that_it_names_and_no_other(cell: object, kinds: set[str]) -> None:
    assert read_kinds(cell) == kinds
