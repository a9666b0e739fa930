"""Values of which each row of a source, or each send, makes one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def row_value(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """A slotted dataclass that the type checker alone keeps frozen.

    A frozen dataclass sets each field by a call of a function. The values of one row have some forty fields, and that
    was a twentieth of a dry run.

    :param kw_only: whether all arguments need their names.
    :returns: the decorator of the class.
    """
    return dataclass(slots=True, unsafe_hash=True, kw_only=kw_only)
