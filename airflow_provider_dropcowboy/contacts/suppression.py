"""Suppression lists: numbers that must not be contacted, in whatever form people's files hold them."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from math import isfinite
from typing import Final

from airflow_provider_dropcowboy.contacts.contact import LOOK_AHEAD_ROWS, find_column
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone, PhoneError

SAMPLE_ROWS: Final = 200  # whose values are looked at where no column is named
MAX_EXAMPLES: Final = 3

Row = Mapping[str, object]
Columns = str | Sequence[str] | None

log = logging.getLogger(__name__)


class UnreadableSuppressionsError(ConfigurationError):
    """Entries of a suppression list are no phone numbers: whoever they stand for would be contacted."""


class SuppressionList:
    """The numbers of one source. Iterate over it once; the end of the iteration checks what was read.

    Reading more than needed costs a message, reading less calls somebody who must not be called. So this reads more
    forms than :meth:`Phone.parse`: both numbers of a cell that holds two, a number with its extension, with a word
    before it, as a spreadsheet's text (``'504…``, ``="504…"``) or in scientific notation with all its digits. Whatever
    cannot be read stops the run.

    A row of blank cells names nobody and is passed over.

    :param columns: the column of the number; or several, whose cells belong together (area code and number) or are
        numbers by themselves. None: the column is found by its name and its values, if only one can be meant.
    :param max_unreadable: entries that may be unreadable: an int is a number of entries, a float a share of them.
    :param region: ISO 3166 alpha-2 of numbers without a country code.
    :param column_argument: what the user calls ``columns``, for messages; likewise ``limit_argument``.
    :ivar entries: rows read that are not blank.
    :ivar numbers: numbers read, with repetitions.
    :ivar unreadable: entries of which not every number could be read.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        *,
        columns: Columns = None,
        max_unreadable: float = 0,
        region: str = "US",
        column_argument: str = "suppression_column",
        limit_argument: str = "max_unreadable_suppressions",
    ) -> None:
        self._rows = rows
        self._columns = (columns,) if isinstance(columns, str) else columns
        self._max_unreadable = max_unreadable
        self._region = region
        self._arguments = (column_argument, limit_argument)
        self._examples: list[str] = []
        self._reasons: Counter[str] = Counter()
        self.entries = 0
        self.numbers = 0
        self.unreadable = 0

    def __iter__(self) -> Iterator[Phone]:
        """The numbers, in the order of the source; one may come twice.

        :raises ConfigurationError: the column is missing, or cannot be found without doubt; before the first number.
        :raises UnreadableSuppressionsError: after the last number: more entries are unreadable than allowed, or all.
        """
        rest = iter(self._rows)
        first = list(islice(rest, LOOK_AHEAD_ROWS))
        if not first:
            log.warning("suppression list: it has no entry, so it keeps nobody from being contacted")
            return
        names = list(dict.fromkeys(name for row in first for name in row))
        columns = self._find_columns(names, first)
        log.info("suppression list: reading %s", " and ".join(columns))
        number = 0
        for number, row in enumerate(chain(first, rest), start=1):
            cells = [row.get(column) for column in columns]
            phones, reason = read_cells(cells, region=self._region)
            if reason == "empty" and all(_is_blank(value) for value in row.values()):
                continue
            self.entries += 1
            self.numbers += len(phones)
            if reason:
                self._note(number, cells, reason)
            yield from phones
        self._check(number, names, columns)

    def _note(self, number: int, cells: Sequence[object], reason: str) -> None:
        self.unreadable += 1
        self._reasons[reason] += 1
        if len(self._examples) < MAX_EXAMPLES:
            self._examples.append(f"row {number}: {' '.join(_shape(cell) for cell in cells)}")

    def _check(self, rows: int, names: Sequence[str], columns: Sequence[str]) -> None:
        if not self.unreadable and self.numbers:
            log.info("suppression list: %d numbers in %d entries", self.numbers, self.entries)
            return
        column_argument, limit_argument = self._arguments
        which = f"Column {' and '.join(columns)} of the suppression list"
        if not self.entries:
            raise UnreadableSuppressionsError(
                f"{which} is empty in all {rows} rows. Nobody was contacted. "
                f"Name the column of the number with {column_argument}; there are: {', '.join(names)}."
            )
        reasons = "; ".join(f"{reason} ({count})" for reason, count in self._reasons.most_common())
        found = (
            f"{self.unreadable} of {self.entries} entries cannot be read as phone numbers: {reasons}. "
            f"Such as {', '.join(self._examples)} (# is a digit, a is a letter)"
        )
        is_share = isinstance(self._max_unreadable, float)
        allowed = self._max_unreadable * self.entries if is_share else self._max_unreadable
        if self.numbers and self.unreadable <= allowed:
            log.warning("suppression list: %d numbers; %s. %s allows them", self.numbers, found, limit_argument)
            return
        raise UnreadableSuppressionsError(
            f"{which}: {found}. Nobody was contacted. Correct these entries, or name another column with "
            f"{column_argument} (there are: {', '.join(names)})."
            + (f" {limit_argument} lets some pass." if self.numbers else "")
        )

    def _find_columns(self, names: Sequence[str], first: Sequence[Row]) -> list[str]:
        known = dict.fromkeys(names)
        # a file without a header would lose its first number, whose person would be contacted
        if any(read_cell(name, region=self._region)[0] for name in names):
            raise ConfigurationError(
                "The first line of the suppression list holds a number, not column names. Nobody was contacted. "
                "Write the names above it."
            )
        if self._columns is not None:
            return [find_column(column, known) for column in self._columns]
        if len(names) == 1:
            return list(names)
        named = [name for name in names if _squash(name) in _PHONE_NAMES]
        area_codes = [name for name in names if _squash(name) in _AREA_CODE_NAMES]
        of_numbers = [name for name in names if _holds_numbers(name, first[:SAMPLE_ROWS], self._region)]
        if len(named) == len(area_codes) == 1 and not of_numbers:
            return [*area_codes, *named]
        candidates = [name for name in names if name in named or name in of_numbers]
        if len(candidates) == 1:
            return candidates
        several = f"It could be any of {', '.join(candidates)}." if candidates else "None of them holds phone numbers."
        raise ConfigurationError(
            f"It is not clear which column of the suppression list holds the number; there are: {', '.join(names)}. "
            f"{several} Nobody was contacted. Name the column with {self._arguments[0]}; name several if their cells "
            "belong together, such as area code and number, or if each holds numbers."
        )


_PHONE_NAMES: Final = frozenset({
    "phone", "phonenumber", "phoneno", "phonenum", "number", "telephone", "telephonenumber", "tel", "mobile",
    "mobilenumber", "mobilephone", "mobileno", "cell", "cellphone", "cellnumber", "cellphonenumber", "msisdn",
    "contactnumber",
})  # fmt: skip
_AREA_CODE_NAMES: Final = frozenset({"areacode", "area", "npa"})
_MIN_SHARE: Final = 0.5


def _squash(name: str) -> str:
    """``Phone_Number (E.164)`` is ``phonenumber``, ``e164`` is ``phone``."""
    letters = re.sub(r"[^a-z]", "", re.sub(r"e\.?164", "", name.casefold()))
    return letters or ("phone" if "164" in name else "")


def _holds_numbers(column: str, rows: Sequence[Row], region: str) -> bool:
    cells = [cell for row in rows if not _is_blank(cell := row.get(column))]
    read = sum(1 for cell in cells if read_cell(cell, region=region)[0])
    return read > 0 and read >= _MIN_SHARE * len(cells)


def _is_blank(value: object) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def _shape(cell: object) -> str:
    """What a cell looks like, without what it says."""
    if not isinstance(cell, str):
        return "nothing" if _is_blank(cell) else f"a value of type {type(cell).__name__}"
    masked = "".join("#" if char.isdecimal() else "a" if char.isalpha() else char for char in cell[:40])
    return repr(masked) if masked.isprintable() else repr("?" * len(masked))


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
