"""A table of contacts with the dirt that real ones have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Final

from airflow_provider_dropcowboy.phone import Phone, PhoneError

NUMBERS_AN_AREA: Final = 100
"""555-0100 to 555-0199 of every area code are for stories: nobody has them."""

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, and what they hold.

    :param numbers: by contact key, of the rows that can be sent to; some keys share a number.
    :param invalid: rows that cannot be sent to.
    """

    rows: list[Row]
    numbers: Mapping[str, str]
    invalid: int


def contact_table(rows: int) -> Table:
    """The same table for the same number of rows; one row in twelve is dirty."""
    made: list[Row] = []
    numbers: dict[str, str] = {}
    invalid = 0
    fresh = _numbers()
    for index in range(rows):
        key: object = index
        last = made[-1] if made else {}
        match index % 48:
            case 11:
                phone: object = "n/a"
            case 23:
                key, phone = None, next(fresh)
            case 35 if last["contact_id"] is not None:
                key, phone = last["contact_id"], last["phone"]  # the same row once more
            case 47:
                phone = last["phone"]  # another person of the same household
            case _:
                phone = next(fresh)
        made.append({"contact_id": key, "phone": _written(phone, index)})
        if phone == "n/a" or key is None:
            invalid += 1
        else:
            numbers[str(key)] = Phone.parse(phone, region="US").e164
    return Table(made, numbers, invalid)


def number(index: int) -> str:
    """One of 45,000 numbers, in E.164."""
    area, line = divmod(index, NUMBERS_AN_AREA)
    return f"+1{_area_codes()[area]}5550{100 + line}"


def _numbers() -> Iterator[str]:
    return map(number, count())


def _written(phone: object, index: int) -> object:
    """Every third number as people write it."""
    if index % 3 or not isinstance(phone, str) or not phone.startswith("+1"):
        return phone
    return f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"


@cache
def _area_codes() -> list[int]:
    return [area for area in range(201, 990) if _is_area(area)]


def _is_area(area: int) -> bool:
    try:
        Phone.parse(f"+1{area}5550100", region="US")
    except PhoneError:
        return False
    return True
