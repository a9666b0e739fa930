"""Contact lists of the sandbox."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.sandbox.lists import MAX_CONTACTS
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from tests.unit.sandbox.asks import HEADERS, MakeAsk


def _made(vendor: Vendor) -> str:
    return str(json.loads(vendor.lists.create(Ask("create", HEADERS, body={"list_name": "Due"})).body)["list_id"])


def _append(vendor: Vendor, list_id: str, **body: object) -> dict[str, object]:
    answer = vendor.lists.append(Ask("append", HEADERS, body=body, item_id=list_id))
    read: dict[str, object] = json.loads(answer.body)
    return read


def test_a_new_list_is_empty(vendor: Vendor, list_ask: MakeAsk) -> None:
    list_id = _made(vendor)
    shown = json.loads(vendor.lists.show(list_ask("show", list_id)).body)
    assert (shown["list_id"], shown["list_name"], shown["contact_count"]) == (list_id, "Due", 0)


def test_a_renamed_list_has_its_new_name_and_the_answer_no_body(vendor: Vendor, list_ask: MakeAsk) -> None:
    list_id = _made(vendor)
    assert vendor.lists.rename(list_ask("rename", list_id, list_name="Overdue")) == Answer(200)
    assert vendor.lists.shown()[list_id]["list_name"] == "Overdue"


def test_a_deleted_list_is_unknown(vendor: Vendor, list_ask: MakeAsk) -> None:
    list_id = _made(vendor)
    assert json.loads(vendor.lists.delete(list_ask("delete", list_id)).body) == {"list_id": list_id}
    with pytest.raises(RefusedError) as refused:
        vendor.lists.show(list_ask("show", list_id))
    assert refused.value.status == 404


def test_good_rows_are_in_and_bad_ones_come_back_by_their_index(vendor: Vendor) -> None:
    list_id = _made(vendor)
    rows = [
        ["1", "(504) 555-0100"],
        ["2", "12"],
        ["3"],
        "4",
        ["5", None],
        ["6", {"number": "+15045550101"}],
        ["7", "504 555 0102"],
    ]
    answer = _append(vendor, list_id, fields=["record_id", "phone"], values=rows)
    assert answer == {
        "accepted_count": 2,
        "rejected": [
            {"index": 1, "reason": "Invalid phone"},
            {"index": 2, "reason": "1 values for 2 fields"},
            {"index": 3, "reason": "Not an array"},
            {"index": 4, "reason": "Missing phone"},
            {"index": 5, "reason": "Invalid phone"},
        ],
    }
    assert vendor.lists.shown()[list_id]["contacts"] == [
        {"record_id": "1", "phone": "+15045550100"},
        {"record_id": "7", "phone": "+15045550102"},
    ]


def test_a_repeated_field_keeps_all_its_values(vendor: Vendor) -> None:
    list_id = _made(vendor)
    row = ["+15045550100", "+15045550101", "+15045550102"]
    _append(vendor, list_id, fields=["phone", "phone", "phone"], values=[row])
    assert vendor.lists.shown()[list_id]["contacts"] == [{"phone": row}]


def test_numbers_without_a_country_code_belong_to_the_region(vendor: Vendor) -> None:
    list_id = _made(vendor)
    _append(vendor, list_id, fields=["phone"], values=[["020 7946 0958"]], region="GB")
    assert vendor.lists.shown()[list_id]["contacts"] == [{"phone": "+442079460958"}]


@pytest.mark.parametrize(
    ("body", "field_name"),
    [
        ({"values": []}, "fields"),
        ({"fields": [], "values": []}, "fields"),
        ({"fields": ["phone", "shoe_size"], "values": []}, "fields"),
        ({"fields": ["phone"]}, "values"),
        ({"fields": ["phone"], "values": [["+15045550100"]] * (MAX_CONTACTS + 1)}, "values"),
        ({"fields": ["phone"], "values": [], "region": "XX"}, "region"),
    ],
)
def test_a_wrong_call_appends_nothing(vendor: Vendor, body: dict[str, object], field_name: str) -> None:
    list_id = _made(vendor)
    with pytest.raises(RefusedError, match=field_name) as refused:
        _append(vendor, list_id, **body)
    assert refused.value.status == 400
    assert vendor.lists.shown()[list_id]["contact_count"] == 0


_CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("5045550100"))


@given(st.lists(st.one_of(st.text(max_size=3), st.lists(_CELLS, max_size=3)), max_size=20))
def test_every_row_is_accepted_or_rejected(rows: list[object]) -> None:
    vendor = Vendor(Settings())
    list_id = _made(vendor)
    answer = _append(vendor, list_id, fields=["phone", "first_name"], values=rows)
    rejected = answer["rejected"]
    assert isinstance(rejected, list)
    assert answer["accepted_count"] == len(rows) - len(rejected) == vendor.lists.shown()[list_id]["contact_count"]
