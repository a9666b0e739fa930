"""What a check of ``dropcowboy doctor`` came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of it.

    :param text: what is well, or what is not and what to do.
    """

    about: str
    is_ok: bool
    text: str
