"""The kinds of values that arguments have, each read in one place."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.arguments import NOTHING_RENDERED, Kind, wrong


def _as_text(name: str, value: object) -> str:
    """Text. A whole number is text as it is written; anything else may have lost what was written."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong(name, f"is of type {type(value).__name__}", "Write it as text.")
    text = str(value)
    if text.strip() in {"", "None", "null", "undefined"}:  # what a template renders of a value that is not there
        raise wrong(name, "is empty" if not text.strip() else f"is {text.strip()!r}", NOTHING_RENDERED)
    return text


def text_kind(read: Callable[[str, str], object], metavar: str) -> Kind:
    """Text that is read further; blanks around it do not count."""
    return Kind(lambda name, value: read(name, _as_text(name, value).strip()), is_text=True, metavar=metavar)


def _text_that(is_right: Callable[[str], object], what: str, remedy: str, metavar: str) -> Kind:
    """Text of one form.

    :param what: is wrong with any other text; ``{}`` in it is that text.
    """

    def read(name: str, value: str) -> str:
        if not is_right(value):
            raise wrong(name, what.format(repr(value)), remedy)
        return value

    return text_kind(read, metavar)


def choice(*values: str) -> Kind:
    """One word of several."""

    def read(name: str, value: object) -> str:
        word = value.strip() if isinstance(value, str) else value
        if word not in values:
            raise wrong(name, f"is {value!r}", f"Write one of {', '.join(values)}.")
        return word

    return Kind(read, is_text=True, choices=values)


def several_kind(kind: Kind, metavar: str) -> Kind:
    """A list of values of a kind; in one text, as a command and a template write it, there are blanks between them."""

    def read(name: str, value: object) -> tuple[object, ...]:
        found = value.split() if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not found:
            raise wrong(name, "is not a list" if found else "is empty", "Write a list with at least one value.")
        return tuple(kind.read(name, item) for item in found)

    return Kind(read, is_text=True, metavar=metavar)


def count_kind(least: int, most: int | None = None) -> Kind:
    """A whole number."""
    span = f"from {least} on" if most is None else f"from {least} to {most}"

    def read(name: str, value: object) -> object:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]+\s*", value, re.ASCII) else value
        is_whole = isinstance(number, int) and not isinstance(number, bool)
        if not is_whole or number not in range(least, most + 1 if most is not None else sys.maxsize):
            raise wrong(name, f"is {value!r}", f"Write a whole number {span}.")
        return number

    return Kind(read, metavar="N", span=(least, most))


def read_number(value: object) -> Decimal | None:
    """The number, or the number that a text has; None: it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def number_kind(
    wanted: str, is_right: Callable[[Decimal], bool], convert: Callable[[Decimal], object], metavar: str
) -> Kind:
    """A number.

    :param wanted: what to write, for the error of a number that is not right.
    :param convert: to the type that is used.
    """

    def read(name: str, value: object) -> object:
        number = read_number(value)
        if number is None or not is_right(number):
            raise wrong(name, f"is {value!r}", f"Write {wanted}.")
        return convert(number)

    return Kind(read, metavar=metavar)


def _flag(name: str, value: object) -> bool:
    found = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise wrong(name, f"is {value!r}", "Write True or False.")
    return found


_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def read_duration(text: str) -> timedelta | None:
    """``90d``, ``12h`` or ``30m``; None: written otherwise."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text.strip())
    return None if match is None else int(match[1]) * _UNITS[match[2]]


def _duration(name: str, value: object) -> timedelta:
    found = read_duration(value) if isinstance(value, str) else value
    if isinstance(value, str) and found is None:
        raise wrong(name, f"is {value!r}, which is not a duration", "Write it like 2d, 12h or 30m.")
    if not isinstance(found, timedelta):
        raise wrong(name, "is not a timedelta", "Write it like timedelta(days=2).")
    if found < timedelta(0):
        raise wrong(name, f"is {found}", "Write a time from 0 on.")
    return found


def _e164(name: str, value: object) -> str:
    """A number in E.164. A whole number is one without its plus, which no number in E.164 lacks."""
    text = _as_text(name, value).strip()
    if isinstance(value, int):
        text = f"+{text}"
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", text):
        raise wrong(name, "is not in E.164 format", "Write + and all digits from the country code on: +15045550100.")
    return text


def is_web_url(text: str) -> bool:
    """Whether the text is an absolute URL of http or https with a host, and without credentials or a fragment."""
    if not text.isprintable() or any(character in text for character in ' \\"<>^`{|}#'):
        return False
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is none
        return False
    has_host = bool((parts.hostname or "").strip("."))
    return parts.scheme in {"http", "https"} and has_host and has_port and "@" not in parts.netloc


def is_id(value: object) -> bool:
    """Whether the value can be an ID of the vendor's; one of dots would be a step in a path."""
    return isinstance(value, str) and value.strip(". ") != "" and value.isprintable()


def _path(name: str, value: object) -> object:
    """A path, as text or as an object of ``pathlib`` or of Airflow's."""
    is_path = isinstance(value, os.PathLike) or (value is not None and hasattr(value, "protocol"))
    return value if is_path else _as_text(name, value).strip()


def _mapping(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise wrong(name, f"is of type {type(value).__name__}", "Write a dict.")
    return value


NAME: Final = text_kind(lambda _name, text: text, "NAME")
COLUMN: Final = Kind(_as_text, is_text=True, metavar="COLUMN")
PROSE: Final = Kind(_as_text, is_text=True, metavar="TEXT")
ID: Final = _text_that(is_id, "{} is not an ID", "Copy it from Drop Cowboy.", "ID")
IDS: Final = several_kind(ID, "IDS")
_NO_URL: Final = "is not an absolute URL of http or https with a host and without a user name"
URL: Final = _text_that(is_web_url, _NO_URL, "Write it like https://host.example/path.", "URL")
URLS: Final = several_kind(URL, "URLS")
_IN_CAPITALS: Final = "Write it in two capital letters, like US."
REGION: Final = _text_that(re.compile(r"[A-Z]{2}").fullmatch, "{} is not a country", _IN_CAPITALS, "CC")
E164: Final = Kind(_e164, is_text=True, metavar="E.164")
PATH: Final = Kind(_path, is_text=True, metavar="PATH")
FLAG: Final = Kind(_flag)
RATE: Final = number_kind("a number above 0", lambda number: number > 0, float, "N")
SHARE: Final = number_kind("a share from 0 to 1, such as 0.2", lambda number: 0 <= number <= 1, float, "SHARE")
AMOUNT: Final = number_kind("an amount in US dollars above 0", lambda number: number > 0, Decimal, "USD")
DURATION: Final = Kind(_duration, metavar="TIME")
MAPPING: Final = Kind(_mapping)
ANYTHING: Final = Kind(lambda _name, value: value, is_text=True)
