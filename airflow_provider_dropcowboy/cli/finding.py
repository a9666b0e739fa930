"""What a check of ``dropcowboy doctor`` came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of it.

    :param text: what is well, or what is not and what to do.
    :param is_warning: nothing is wrong yet, and someone should look.
    """

    about: str
    is_ok: bool
    text: str
    is_warning: bool = False
