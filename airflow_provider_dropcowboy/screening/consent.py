"""Whether a row says that its person consented, and to what the law of a place wants consent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

_YES: Final = frozenset({"true", "t", "yes", "y", "1"})
_BETWEEN: Final = re.compile(r"[\s,;+/|&]+")


class Consent(StrEnum):
    """A kind of consent to sales messages by recording or text.

    ``EXPRESS``: the person said so. ``WRITTEN``: in writing and signed, which is express too. ``RELATIONSHIP``: an
    established business relationship, as the law of the place defines it.
    """

    EXPRESS = "express"
    WRITTEN = "written"
    RELATIONSHIP = "relationship"


Kinds = frozenset[Consent]
NO_CONSENT: Final[Kinds] = frozenset()


@dataclass(frozen=True, slots=True)
class Need:
    """Consent without which a law forbids the message.

    :param alternatives: any of them will do; each is the kinds that are needed together.
    :param label: the law, for a person and an auditor.
    """

    alternatives: tuple[Kinds, ...]
    label: str

    def __str__(self) -> str:
        kinds = " or ".join("+".join(sorted(kinds)) for kinds in self.alternatives)
        return f"{self.label} needs consent: {kinds}"


def unmet(needs: Iterable[Need], given: Kinds) -> Need | None:
    """The first law whose consent is missing; None: there is none."""
    return next((need for need in needs if not any(kinds <= given for kinds in need.alternatives)), None)


def has_consent(value: object) -> bool:
    """Only a clear yes is one: ``True``, 1, or the texts true, t, yes, y, 1. NULL, dates, other numbers are none."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    if isinstance(value, Decimal):  # how Oracle and Snowflake hand over a NUMBER(1)
        return value.is_finite() and value == 1
    return value is True or (isinstance(value, (int, float)) and value == 1)


def read_kinds(value: object) -> Kinds:
    """The kinds of consent that a cell names: ``written``, or several, ``express, relationship``.

    Whatever else stands there is no consent: a cell with ``not express`` names none.
    """
    return _kinds_in(value) if isinstance(value, str) else NO_CONSENT


@lru_cache(maxsize=1_000)
def _kinds_in(text: str) -> Kinds:
    words = [word for word in _BETWEEN.split(text.strip().lower()) if word and word != "and"]
    if not words or not set(words) <= set(Consent):
        return NO_CONSENT
    kinds = frozenset(map(Consent, words))
    return kinds | {Consent.EXPRESS} if Consent.WRITTEN in kinds else kinds
