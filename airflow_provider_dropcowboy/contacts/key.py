"""What a cell says: the contact key, one text whatever type the column had today; and the postal code."""

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from math import inf
from numbers import Integral
from typing import Final
from uuid import UUID

MAX_EXACT_FLOAT: Final = 2**53  # IEEE 754: above it, neighbouring whole numbers are one float
MAX_DECIMAL_DIGITS: Final = 100
UUID_DIGITS: Final = 32


class LostDigits:
    """What a cell holds that cannot be read as it was written: no key, no number and no text."""


LOST: Final = LostDigits()
_DIGITS_WERE_LOST: Final = "digits were lost; read the column as text"


class ContactKeyError(ValueError):
    """A cell that names nobody; the message is a reason and does not repeat the cell."""


def canonical_key(value: object) -> str:
    """The contact key as text, the same whichever way the source hands the value over.

    1, "1", " 1 ", 1.0, "1.0", Decimal("1") and Decimal("1.00") are one key: a column of integers becomes float as soon
    as a data frame holds a NULL. UUIDs are written in lower case, dates and instants in ISO 8601, aware instants in
    UTC. "007" and "7" are two keys. Applied to its own result it changes nothing.

    :raises ContactKeyError: NULL, NaN, empty, the text that programs write for NULL (``None``, ``nan``), characters
        that do not print, a truth value, bytes, and any other type. And a number that a spreadsheet or a float has
        rounded, since two people may have become one key: ``1.23457E+17``, a float or a Decimal made of one from 2^53.
    """
    if type(value) is int:
        return str(value)
    match value:
        case str():
            return _from_text(value)
        case bool():
            raise ContactKeyError("a truth value")
        case Integral():
            return str(int(value))
        case None:
            raise ContactKeyError("empty")
        case float():
            if value != value:
                raise ContactKeyError("empty")
            if abs(value) == inf:
                raise ContactKeyError("not a finite number")
            if abs(value) >= MAX_EXACT_FLOAT:  # two people would become one key
                raise ContactKeyError(_DIGITS_WERE_LOST)
            return _from_decimal(Decimal(repr(float(value))))
        case Decimal():
            return _from_decimal(value)
        case LostDigits():
            raise ContactKeyError(_DIGITS_WERE_LOST)
        case UUID():
            return str(value)
        case date():
            if value != value:  # pandas.NaT is a datetime
                raise ContactKeyError("empty")
            if isinstance(value, datetime) and value.tzinfo is not None:
                value = value.astimezone(UTC)
            return value.isoformat()
        case _:
            raise ContactKeyError(f"of type {type(value).__name__}; read the column as text")


_WHOLE_AS_DECIMAL: Final = re.compile(r"(-?[0-9]+)\.0+")


def same_person(key: str) -> str:
    """One text for all notations of a contact key. It tells persons apart, in a campaign and in a list.

    A UUID has hyphens and lower case, characters are composed (NFC), a decimal has no zeros at its end. The contact key
    itself stays as the source writes it, so that exports can be joined with the source.

    :param key: from :func:`canonical_key`.
    """
    if key.isdecimal():
        return key
    if not key.isascii():
        key = unicodedata.normalize("NFC", key)
    if len(key) >= UUID_DIGITS and (uuid := _UUID_NOTATION.fullmatch(key)):
        return "-".join(part.lower() for part in uuid.groups())
    if "." in key and _DECIMAL.fullmatch(key):
        return key.rstrip("0")
    return key


def other_notations(key: str) -> tuple[str, ...]:
    """The texts, other than ``same_person``, by which an older release of this package may have named the person."""
    if key.isdecimal():
        return ()
    same = same_person(key)
    texts = {key}
    if not key.isascii():
        texts.add(unicodedata.normalize("NFD", key))
    if _UUID.fullmatch(same):
        texts |= {same.replace("-", ""), same.replace("-", "").upper()}
    elif _ONE_DECIMAL.fullmatch(same):
        texts.add(f"{same}0")
    return tuple(sorted(texts - {same}))


def same_value(text: str) -> str:
    """One text for all notations of a value, as :func:`same_person`; 10.50 is 10.5, and 10.0 is 10."""
    whole = "." in text and _WHOLE_AS_DECIMAL.fullmatch(text)
    return whole[1] if whole else same_person(text)


_UUID_NOTATION: Final = re.compile(
    r"(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?", re.IGNORECASE
)
_DECIMAL: Final = re.compile(r"-?[0-9]+\.[0-9]*[1-9]0+")
_ONE_DECIMAL: Final = re.compile(r"-?[0-9]+\.[1-9]")
_WHOLE_FLOAT: Final = re.compile(r"-?[0-9]{16,}\.0")  # as programs write a float: a Decimal has more zeros, or none
# 1E10 may be an article number; who writes a rounded number writes a sign or a point
_SCIENTIFIC: Final = re.compile(r"-?[0-9](?:[.,][0-9]+E[+-]?|E[+-])[0-9]{1,3}", re.IGNORECASE)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NULL_SPELLINGS: Final = frozenset({"None", "NULL", "null", "NaN", "nan", "NaT", "<NA>", "\\N"})


def _from_text(text: str) -> str:
    text = text.strip()
    # one key for everybody without a key would make one message of them all
    if not text or text in _NULL_SPELLINGS:
        raise ContactKeyError("empty")
    if text.isalnum():  # none of the notations below
        return text
    if not text.isprintable():  # PostgreSQL stores no NUL and UTF-8 no lone surrogate: one such row would stop a batch
        raise ContactKeyError("has characters that do not print")
    if _SCIENTIFIC.fullmatch(text) or (_WHOLE_FLOAT.fullmatch(text) and abs(int(text[:-2])) >= MAX_EXACT_FLOAT):
        raise ContactKeyError(_DIGITS_WERE_LOST)
    if whole := _WHOLE_AS_DECIMAL.fullmatch(text):
        return "0" if whole[1] == "-0" else whole[1]
    if _UUID.fullmatch(text):
        return text.lower()
    return text


def _from_decimal(value: Decimal) -> str:
    if value.is_nan():
        raise ContactKeyError("empty")
    # Decimal("1E+1000000") is small in memory and a megabyte as text
    if value.is_infinite() or abs(value.adjusted()) > MAX_DECIMAL_DIGITS:
        raise ContactKeyError("not a finite number")
    exponent = value.as_tuple().exponent
    # XCom carries Decimals as floats, and makes Decimals of their text again
    is_of_a_float = exponent == -1 and value == value.to_integral_value()
    if abs(value) >= MAX_EXACT_FLOAT and (is_of_a_float or (isinstance(exponent, int) and exponent > 0)):
        raise ContactKeyError(_DIGITS_WERE_LOST)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


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
_ZEROS_OF_A_DECIMAL: Final = re.compile(r"(?<=[0-9])\.0+$")
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
            return _ZEROS_OF_A_DECIMAL.sub("", str(value).strip())
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
