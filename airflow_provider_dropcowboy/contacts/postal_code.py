"""Postal codes as the vendor takes them, from columns that spreadsheets have been through."""

import re
from decimal import Decimal
from numbers import Integral
from typing import Final

ZIP_REGIONS: Final = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
"""Regions whose postal codes are US ZIP codes."""

LOWEST_ZIP: Final = 501  # 00501, Holtsville NY: the lowest one the US Postal Service has given out


def read_postal_code(value: object, *, region: str) -> str | None:
    """The postal code as the vendor takes it (``02101`` or ``90210-0001``), or None if the cell holds none.

    ZIP codes get back the zeros that a spreadsheet took: 8014, "8014", 8014.0 are ``08014``, and 80141234 is
    ``08014-1234``. Canadian codes get their usual form: ``k1a0b1`` is ``K1A 0B1``. Other countries' codes pass as they
    are, without the blanks around them. A code only sharpens the vendor's idea of the person's hour, so an unusable one
    costs nobody the message.

    :param region: of the numbers without a country code; only where ZIP codes are used are bare digits repaired.
    """
    if type(value) is str and region in ZIP_REGIONS and _USUAL_ZIP.fullmatch(value):
        return value
    text = _as_text(value)
    if region in ZIP_REGIONS and (digits := _ZIP.fullmatch(text)):
        return _as_zip(digits["zip"], digits["plus4"] or "")
    if region in ZIP_REGIONS and text.isdecimal():
        return None
    if canadian := _CANADIAN.fullmatch(text):
        return f"{canadian[1]} {canadian[2]}".upper()
    return text if _ANY_POSTAL_CODE.fullmatch(text) else None


_USUAL_ZIP: Final = re.compile(r"(?!00)[0-9]{5}")  # most cells: nothing is to be repaired
_WHOLE_AS_DECIMAL: Final = re.compile(r"(?<=[0-9])\.0+$")
_ZIP: Final = re.compile(r"(?P<zip>[0-9]{3,9})(?:[- ]+(?P<plus4>[0-9]{0,4}))?")
_CANADIAN: Final = re.compile(r"([A-Za-z][0-9][A-Za-z])[ -]*([0-9][A-Za-z][0-9])")
_ANY_POSTAL_CODE: Final = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9](?:[A-Za-z0-9 -]{0,8}[A-Za-z0-9])?")


def _as_text(value: object) -> str:
    match value:
        case Decimal():
            return _as_text(float(value)) if value.is_finite() else ""
        case float():
            return str(int(value)) if value.is_integer() else ""
        case str() | Integral():
            return _WHOLE_AS_DECIMAL.sub("", str(value).strip())
        case _:
            return ""


def _as_zip(digits: str, plus4: str) -> str | None:
    if not plus4 and len(digits) >= 7:
        digits = digits.zfill(9)
        digits, plus4 = digits[:5], digits[5:]
    if len(digits) > 5 or int(digits) < LOWEST_ZIP:
        return None
    code = digits.zfill(5)
    # three digits of the last four name another block: without them the code is coarser, but right
    return f"{code}-{plus4}" if len(plus4) == 4 else code
