"""Which of the vendor's fields take which columns."""

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.arguments import Fields


def test_a_field_takes_a_column_or_several() -> None:
    fields = Fields.parse({"record_id": "id", "phone": ["mobile", "home"]})
    assert fields.names == ("record_id", "phone", "phone")
    assert fields.columns == ("id", "mobile", "home")
    assert fields.places_of("phone") == (1, 2)


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ({"telephone": "mobile", "phone": "mobile"}, "does not know these contact fields: telephone"),
        ({"first_name": "first"}, "has no phone"),
        ({}, "none given"),
        ({"phone": ""}, "names no column for phone"),
        ({"phone": []}, "names no column for phone"),
        ({"phone": ["mobile", 2]}, "names no column for phone"),
        ({"phone": None}, "names no column for phone"),
        (["phone"], "is a list"),
    ],
)
def test_what_cannot_be_a_mapping_is_refused_with_what_to_write(mapping: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Fields.parse(mapping)  # type: ignore[arg-type]  # which is what it checks
