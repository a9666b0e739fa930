"""Texts with ``{column}`` fields, filled in for each row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from math import isfinite
from numbers import Integral
from string import Formatter
from typing import Final, Self
from uuid import UUID

from airflow_provider_dropcowboy.contacts.contact import find_column
from airflow_provider_dropcowboy.errors import ConfigurationError


class TextError(ValueError):
    """A row whose text cannot be filled in; the message names the column and none of its values."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text whose ``{column}`` fields take the values of a row.

    :param literals: the text between the fields; one more than there are columns.
    :param columns: the column of each field, in the order of the text; one may come twice.
    """

    literals: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The template a user wrote: ``{column}`` is a field, ``{{`` and ``}}`` are braces.

        :raises ConfigurationError: anything else in braces, such as ``{}``, ``{a.b}``, ``{a!r}``, ``{a:>9}``.
        """
        literals = [""]
        columns: list[str] = []
        try:
            for literal, column, spec, conversion in Formatter().parse(text):
                literals[-1] += literal
                if column is None:
                    continue
                if spec or conversion or not _COLUMN.fullmatch(column):
                    raise ValueError("only {column} is a field")
                columns.append(column)
                literals.append("")
        except ValueError as error:
            raise ConfigurationError(
                f"A text cannot be read as a template: {error}. "
                "Write fields as {column}, a brace itself twice, and format values in the query."
            ) from None
        return cls(tuple(literals), tuple(columns))

    def render(self, row: Mapping[str, object]) -> str:
        """The text for one row.

        Values are stripped of the blanks around them. A whole number read as float is written without ``.0``, a Decimal
        as it is, a date or time in ISO 8601. An empty text is a value (write ``COALESCE(name, '')`` to allow for
        nothing there); NULL is none. Braces inside a value stay what they are.

        :raises ConfigurationError: the row has no such column.
        :raises TextError: a value is NULL, or of a kind that no text should hold, such as bytes or a truth value.
        """
        if not self.columns:
            return self.literals[0]
        parts = [self.literals[0]]
        for column, literal in zip(self.columns, self.literals[1:], strict=True):
            value = row[column] if column in row else row[find_column(column, row)]
            try:
                parts += (value.strip() if type(value) is str else as_text(value), literal)
            except TextError as error:
                raise TextError(f"{error} for {{{column}}}") from None
        text = "".join(parts)
        if not is_unicode(text):
            raise TextError("a column holds characters that are not Unicode text")
        return text


_COLUMN: Final = re.compile(r"[^.\[\]{}]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_unicode(text: str) -> bool:
    """Whether a request can hold the text; JSON can hold half a character."""
    return text.isascii() or _SURROGATE.search(text) is None


def as_text(value: object) -> str:
    """A cell as text, the same whichever way the source hands it over: see :meth:`Template.render`.

    :raises TextError: NULL, or of a kind that no text should hold.
    """
    match value:
        case str():
            return value.strip()
        case None:
            raise TextError("no value")
        case bool():
            pass
        case int() | UUID():
            return str(value)
        case float() if isfinite(value):
            return str(int(value)) if value.is_integer() else str(float(value))
        case Decimal() if value.is_finite():
            return format(value, "f")
        case float() | Decimal():
            raise TextError("no finite value")
        case date() | time() if value == value:  # pandas.NaT is a date that is not itself
            return str(value)
        case Integral():
            return str(value)
        case _:
            pass
    raise TextError(f"a value of type {type(value).__name__}")
