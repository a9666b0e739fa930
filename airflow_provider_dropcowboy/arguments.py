"""How an argument of a task or a command is declared and read: its kind, its default and its documentation.

A class of arguments is a frozen dataclass whose fields are made by :func:`argument`. Operators, sensors, the notifier
and the command line pass what they are given through :meth:`Arguments.check` and :meth:`Arguments.read`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Final, Self, TypeVar

from airflow_provider_dropcowboy.errors import ConfigurationError

T = TypeVar("T")


class Unknown(Enum):
    """What stands for a value that is not there."""

    LATER = "later"  # a template or an upstream task's result, when a DAG is parsed
    NOTHING = "nothing"  # a template that rendered to an empty text


LATER: Final = Unknown.LATER
NOTHING: Final = Unknown.NOTHING

NOTHING_RENDERED: Final = "A template that renders to nothing is the usual cause."


def wrong(name: str, what: str, remedy: str) -> ConfigurationError:
    """The error of one argument: what is wrong with it, and what to write."""
    return ConfigurationError(f"{name} {what}. Nothing was sent. {remedy}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    :param read: from an argument's name and its value to the value that is used; raises ConfigurationError. Numbers,
        truth values and durations are also read from text, since a template renders to text.
    :param is_text: text is what a DAG's author writes for it; for other kinds, a literal text in a DAG is an error.
    :param metavar: of the value, in the help of the command line.
    :param choices: of a closed set.
    :param span: of a whole number: the least and the most.
    """

    read: Callable[[str, object], object]
    is_text: bool = False
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    span: tuple[int, int | None] | None = None


def argument(kind: Kind, doc: str, *, default: T = None, may_be_none: bool | None = None) -> T:  # type: ignore[assignment]
    """Declare an argument.

    :param doc: what it means: for the reference, and for the help of the command line.
    :param may_be_none: whether None is a value; if this is not said, where None is the default.
    """
    if may_be_none is None:
        may_be_none = default is None
    return field(default=default, metadata={"kind": kind, "doc": doc, "may_be_none": may_be_none})


@dataclass(frozen=True, slots=True)
class Argument:
    """A declared argument."""

    name: str
    kind: Kind
    doc: str
    default: object
    may_be_none: bool

    def read(self, value: object) -> object:
        """The value, checked; LATER stays what it is.

        :raises ConfigurationError: it is none of this kind.
        """
        if value is LATER or (value is None and self.may_be_none):
            return value
        if value is NOTHING:
            raise wrong(self.name, "is empty", NOTHING_RENDERED)
        return self.kind.read(self.name, value)


@dataclass(frozen=True, kw_only=True, repr=False)
class Arguments:
    """Checked arguments. They print without their values, which hold numbers and message texts."""

    @classmethod
    def declared(cls) -> tuple[Argument, ...]:
        """All arguments, in the order in which they are documented."""
        return tuple(Argument(item.name, default=item.default, **item.metadata) for item in fields(cls))

    @classmethod
    def check(cls, given: Mapping[str, object]) -> None:
        """Nothing, if what is known when a DAG is parsed can be right.

        :param given: by name; LATER: not known yet. What is not named has its default.
        :raises ConfigurationError: names the argument and says what to write.
        """
        for item in cls.declared():
            value = given.get(item.name)
            if isinstance(value, str) and not item.kind.is_text:
                raise wrong(item.name, f"is {value!r}, a text", "Write the value itself, without quotes.")
        cls._check_together(cls._values(given))

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Self:
        """The arguments, all of them known and checked.

        :raises ConfigurationError: names the argument and says what to write.
        """
        values = cls._values(given)
        cls._check_together(values)
        return cls(**values)

    @classmethod
    def _values(cls, given: Mapping[str, object]) -> dict[str, object]:
        return {item.name: item.read(given.get(item.name, item.default)) for item in cls.declared()}

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        """Check what one argument says about another; each of them is checked, or LATER."""


def given_of(values: Mapping[str, object], *names: str) -> list[str]:
    """Those of the names that have a value, known or not."""
    return [name for name in names if values.get(name) is not None]


def not_both(values: Mapping[str, object], name: str, other: str) -> None:
    """Nothing, unless two words for one thing are given.

    :raises ConfigurationError: both are.
    """
    if len(given_of(values, name, other)) == 2:
        raise wrong(name, f"and {other} are two words for one thing", "Give one of them.")


def one_of(values: Mapping[str, object], *names: str) -> str:
    """The one of these arguments that is given.

    :raises ConfigurationError: none is, or more than one.
    """
    given = given_of(values, *names)
    if len(given) != 1:
        among = f"{', '.join(names[:-1])} and {names[-1]}"
        raise ConfigurationError(f"Give exactly one of {among}; given: {', '.join(given) or 'none'}. Nothing was sent.")
    return given[0]
