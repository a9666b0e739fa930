"""Whether an account can send now."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Access:
    """Whether an account can send now.

    :param about: what was looked at, in a word.
    :param text: for a person: what it may use, or what to do.
    """

    about: str
    is_ready: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What an account may do now (scope ``balance:read``).

    :param balance_usd: None: the answer names none.
    :param byoc_connected: a carrier of the account's own; None: the answer does not say.
    :param next_actions: what the vendor wants to be done first, in its own words.
    """

    has_funds: bool
    balance_usd: Decimal | None
    number_count: int
    audio_url_allowed: bool
    test_numbers_only: bool
    byoc_connected: bool | None = None
    next_actions: tuple[str, ...] = ()

    def access(self) -> Access:
        """Whether the account can send, and what to do if not."""
        if not self.has_funds:
            return Access("readiness", False, "The account has no funds: add some. Nothing was sent.")
        if not self.number_count:
            remedy = "Rent or import one."
            return Access("readiness", False, f"The account has no number to send from. Nothing was sent. {remedy}")
        if self.test_numbers_only:
            return Access(
                "readiness",
                False,
                "The account is in testing mode: every number but its test numbers fails. Ask Drop Cowboy to end it. "
                "Nothing was sent.",
            )
        return Access("readiness", True, f"It has funds and {self.number_count} numbers to send from.")
