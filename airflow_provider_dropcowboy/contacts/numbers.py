"""Phone numbers in the forms that people's files hold them, read more generously than a number that is called."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Final

from airflow_provider_dropcowboy.phone import Phone, PhoneError

MAX_CELL_CHARACTERS: Final = 500

Numbers = tuple[list[Phone], str | None]  # and why not all of an entry was read; None: all of it was


def read_cells(cells: Sequence[object], *, region: str) -> Numbers:
    """The numbers of one entry; cells that are no numbers by themselves are parts of one."""
    if len(cells) == 1:
        return read_cell(cells[0], region=region)
    texts = [text for cell in cells if (text := _plain(cell))]
    if not texts:
        return [], "empty"
    read = [read_cell(text, region=region) for text in texts]
    phones = [phone for found, _reason in read for phone in found]
    rest = [(text, reason) for text, (_found, reason) in zip(texts, read, strict=True) if reason]
    if not rest or (phones and all(_SHORT.fullmatch(text) for text, _reason in rest)):
        return phones, None  # a code that stands beside a whole number adds nothing
    joined, reason = read_cell(" ".join(texts), region=region)
    return (joined, None) if reason is None else (phones or joined, reason)


def read_cell(cell: object, *, region: str) -> Numbers:
    """All numbers of one cell, whatever stands around them."""
    try:
        return [Phone.parse(cell, region=region)], None
    except PhoneError as error:
        reason = str(error)
    text = _plain(cell)
    if not text:
        return [], reason
    if len(text) > MAX_CELL_CHARACTERS:
        return [], "too long"
    if _SCIENTIFIC.fullmatch(text):
        whole = _whole_of(text)
        return read_cell(whole, region=region) if whole else ([], "digits were lost; save the column as text")
    phones: list[Phone] = []
    rest = text = _DATE.sub(" ", text)
    for run in _RUN.findall(text):
        found = _split(run, region=region)
        if not found:
            return phones, reason
        phones += found
        rest = rest.replace(run, "~", 1)
    if not phones:
        return [], reason
    return phones, "a second number is cut short" if _CUT_SHORT.search(rest) else None


_RUN: Final = re.compile(r"[+(]*[0-9](?:[0-9 ()./\u2010-\u2015\u2212-]*[0-9]){6,}")
"""At least seven digits with nothing but punctuation between them."""
_DATE: Final = re.compile(
    r"\b(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?:[T ][0-2][0-9](?::?[0-9]{2})*)?\b|\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\b"
)
_SHORT: Final = re.compile(r"\+?[0-9]{1,5}")
_CUT_SHORT: Final = re.compile(r"~\W*(?:/|&|\bor\b|\band\b|;)\W*[0-9]{2,6}\b", re.IGNORECASE)
_SCIENTIFIC: Final = re.compile(r"\+?[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE)
_QUOTES: Final = "'\"`\u2018\u2019\u201c\u201d="
_MAX_PARTS: Final = 16


def _split(run: str, *, region: str) -> list[Phone]:
    """The numbers of a run of digits and punctuation: one, or several side by side; empty: it is none."""
    try:
        return [Phone.parse(run, region=region)]
    except PhoneError:
        pass
    parts = re.findall(r"\+?[0-9]+", run)
    if len(parts) == 1:
        national = parts[0].removeprefix("00")
        return [] if national == parts[0] else _split(f"+{national}", region=region)
    if len(parts) > _MAX_PARTS:
        return []
    for end in range(1, len(parts)):
        try:
            phone = Phone.parse(" ".join(parts[:end]), region=region)
        except PhoneError:
            continue
        if others := _split(" ".join(parts[end:]), region=region):
            return [phone, *others]
    return []


def _whole_of(text: str) -> str | None:
    """``5.045550105E+9`` in digits; None: it has fewer digits than the number had."""
    mantissa, _, exponent = text.upper().replace(",", ".").partition("E")
    decimals = len(mantissa.partition(".")[2])
    return str(int(Decimal(f"{mantissa}E{exponent}"))) if decimals == int(exponent) else None


def _plain(cell: object) -> str:
    """A cell as text: digits of any script as 0 to 9, without what spreadsheets put around a text; empty: no text."""
    match cell:
        case str():
            text = cell
        case bool():
            return ""
        case int():
            return str(cell)
        case float() | Decimal():
            return str(int(cell)) if isfinite(cell) and cell == int(cell) else ""
        case _:
            return ""
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(char)) if char.isdecimal() else char
            for char in unicodedata.normalize("NFKC", text)
            if unicodedata.category(char) != "Cf"
        )
    return " ".join(text.split()).strip(_QUOTES).strip()
