"""The arguments of a list's sync, each described once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_dropcowboy.argument_kinds import SHARE, choice
from airflow_provider_dropcowboy.arguments import Kind, argument, one_of, wrong
from airflow_provider_dropcowboy.contacts.source import SourceArguments
from airflow_provider_dropcowboy.lists.fields import Fields
from airflow_provider_dropcowboy.lists.plan import ListPlan, Mode, OnChange, check_list

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.account import Account
    from airflow_provider_dropcowboy.ledger.runs import Who


class Settings(Protocol):
    """What a sync needs of its connection."""

    @property
    def account(self) -> "Account": ...
    @property
    def max_concurrency(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...
    @property
    def verify(self) -> bool | str: ...


def _list(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong(name, f"is of type {type(value).__name__}", "Write it as text.")
    return check_list(name, str(value))


LIST: Final = Kind(_list, is_text=True, metavar="NAME")
FIELDS: Final = Kind(lambda _name, value: Fields.parse(value))  # type: ignore[arg-type]  # it checks what it is given


@dataclass(frozen=True, kw_only=True, repr=False)
class ListArguments(SourceArguments):
    """A contact list that is brought in step with a source."""

    fields: Fields | None = argument(
        FIELDS,
        "The vendor's field to a column, or to a list of columns: "
        '`{"record_id": "id", "phone": ["mobile", "home"]}`. `phone` must be among them.',
        may_be_none=False,
    )
    list_name: str | None = argument(
        LIST,
        "The list's name. It is created if the ledger does not know it (`dropcowboy list adopt` makes an existing one "
        "known). Give exactly one of `list_name` and `list_id`.",
    )
    list_id: str | None = argument(
        LIST, "The vendor's id of an existing list. Not for a mirror, whose id changes with each rebuilding."
    )
    mode: str = argument(
        choice("append", "mirror"),
        "`append`: every row is in the list, once. `mirror`: the list is the rows, and nothing else. When a row was "
        "changed or removed, the list is built anew beside the old one and put in its place.",
        default="append",
    )
    on_change: str = argument(
        choice("keep", "append"),
        "In append mode, for a row whose values changed: `keep` the old ones in the list, or `append` the new ones as "
        "well, since the vendor can change no contact.",
        default="keep",
    )
    max_shrink: float = argument(
        SHARE, "A mirror that would lose more than this share of the list fails and changes nothing.", default=0.5
    )

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        super()._check_together(values)
        one_of(values, "list_name", "list_id")
        if values["mode"] == "mirror" and values["list_id"] is not None:
            raise wrong(
                "list_id",
                'is given with mode="mirror", where the id changes with each rebuilding',
                "Give list_name; for a list that exists, run `dropcowboy list adopt NAME ID` once.",
            )
        if values["mode"] == "mirror" and values["on_change"] == "append":
            raise wrong("on_change", 'is for mode="append": a mirror always has the new values', "Leave it out.")

    def plan(self, settings: Settings, *, who: "Who") -> ListPlan:
        """What a sync is to do."""
        assert self.fields is not None
        return ListPlan(
            account=settings.account,
            fields=self.fields,
            list_name=self.list_name,
            list_id=self.list_id,
            mode=Mode(self.mode),
            key_column=self.key_column,
            region=self.region,
            max_shrink=self.max_shrink,
            on_change=OnChange(self.on_change),
            max_concurrency=settings.max_concurrency,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            who=who,
        )
