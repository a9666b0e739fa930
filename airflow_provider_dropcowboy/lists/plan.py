"""What a sync is to do, checked once."""

from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.lists.fields import Fields


class Mode(StrEnum):
    """What being in step means."""

    APPEND = "append"  # every row of the source is in the list, once
    MIRROR = "mirror"  # the list is the rows of the source, and nothing else


class OnChange(StrEnum):
    """What becomes of a row whose values changed since it was appended, in append mode."""

    KEEP = "keep"  # the list keeps the old values: the vendor cannot change a contact
    APPEND = "append"  # the new values are appended as well


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlan:
    """One sync of one list.

    :param list_name: or ``list_id``; exactly one. A mirror has a name: its id changes with each rebuilding.
    :param key_column: names a person for good; without one, the first number is the contact key.
    :param region: ISO 3166 alpha-2 of the numbers that carry no country code.
    :param max_shrink: a mirror that would lose more than this share of the list fails; 1.0 allows all.
    :param max_concurrency: requests under way at once, of the account; a sync has its part of it.
    :param timeout_s: for connecting, and for each wait on an answer.
    :param verify: whether the server's certificate is checked; a path: by this CA file.
    """

    account: Account
    fields: Fields
    list_name: str | None = None
    list_id: str | None = None
    mode: Mode = Mode.APPEND
    key_column: str | None = None
    region: str = "US"
    max_shrink: float = 0.5
    on_change: OnChange = OnChange.KEEP
    max_concurrency: int = 90
    timeout_s: float = 30.0
    verify: bool | str = True
    who: Who = field(default_factory=Who)

    def __post_init__(self) -> None:
        for name in ("list_name", "list_id"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, check_list(name, value))
        if (self.list_name is None) == (self.list_id is None):
            raise ConfigurationError("Give exactly one of list_name and list_id. Nothing was sent.")
        if self.mode is Mode.MIRROR and self.list_name is None:
            raise ConfigurationError(
                'mode="mirror" takes list_name, not list_id: a rebuilt list has a new id. Nothing was sent. For a list '
                "that exists, run `dropcowboy list adopt NAME ID` once, and give its name."
            )
        if self.mode is Mode.MIRROR and self.on_change is not OnChange.KEEP:
            raise ConfigurationError(
                'on_change is for mode="append": a mirror always has the new values. Nothing was sent. Leave it out.'
            )
        if not 0 <= self.max_shrink <= 1:
            raise ConfigurationError(
                f"max_shrink={self.max_shrink} is no share between 0 and 1. Nothing was sent. 1.0 allows any loss."
            )

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns of the source that are used, as the user names them."""
        return tuple(dict.fromkeys([*self.fields.columns, *filter(None, [self.key_column])]))

    @property
    def name(self) -> str:
        """The list, for people."""
        return self.list_name or f"with id {self.list_id}"


def check_list(argument: str, value: str) -> str:
    """A list's name or id, stripped.

    :raises ConfigurationError: it names none: empty, the text of a missing value, or an id that is a step in a path.
    """
    value = value.strip()
    is_step = argument == "list_id" and not value.strip(".")
    if not value or value in {"None", "null"} or not value.isprintable() or is_step:
        raise ConfigurationError(
            f"{argument}={value!r} names no list. Nothing was sent. A template that renders to nothing is the usual "
            "cause."
        )
    return value
