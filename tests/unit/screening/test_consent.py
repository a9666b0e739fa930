"""Whether a row says that its person consented."""

from datetime import date
from decimal import Decimal

import pytest

from airflow_provider_dropcowboy.screening.consent import has_consent


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
