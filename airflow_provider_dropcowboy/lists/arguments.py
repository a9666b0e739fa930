"""The arguments of a list's sync, each described once, and the fields of its contacts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from airflow_provider_dropcowboy.api.lists import check_fields
from airflow_provider_dropcowboy.argument_kinds import SHARE, choice
from airflow_provider_dropcowboy.arguments import NOTHING_RENDERED, Kind, argument, one_of, wrong
from airflow_provider_dropcowboy.contacts.source import SourceArguments

PHONE: Final = "phone"
MAIN_PHONE: Final = "main_phone"
"""Another word for it: that of API v2."""
POSTAL: Final = "postal"

FieldMapping = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fields:
    """The vendor's field of each value of a row, and the column it is read from.

    :param names: API v1, contact fields; one may repeat, such as ``phone``.
    :param columns: as the user names them, one for each name.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, mapping: FieldMapping) -> Self:
        """The mapping a user wrote: the vendor's field to a column, or to a list of columns.

        :raises ConfigurationError: a field that the vendor does not know, no ``phone``, or no column.
        """
        written: object = mapping  # a DAG's arguments come unchecked
        if not isinstance(written, Mapping):
            raise wrong("fields", f"is a {type(written).__name__}", LIKE)
        names: list[str] = []
        columns: list[str] = []
        for name, given in written.items():
            several = given if isinstance(given, list | tuple) else [given]
            if not several or not all(isinstance(column, str) and column for column in several):
                raise wrong("fields", f"names no column for {name}", LIKE)
            names += [PHONE if name == MAIN_PHONE else name] * len(several)
            columns += several
        check_fields(names)
        if PHONE not in names:
            raise wrong("fields", f"has no {PHONE}: a contact without a number cannot be reached", LIKE)
        return cls(tuple(names), tuple(columns))

    def places_of(self, name: str) -> tuple[int, ...]:
        """The places of a field in a row of values."""
        return tuple(place for place, found in enumerate(self.names) if found == name)


LIKE: Final = 'Write them like {"record_id": "id", "phone": ["mobile", "home"]}.'


def _list(name: str, value: object) -> str:
    """A list's name or id, stripped. An id of dots would be a step in a path."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong(name, f"is of type {type(value).__name__}", "Write it as text.")
    text = str(value).strip()
    is_step = name == "list_id" and not text.strip(".")
    if not text or text in {"None", "null"} or not text.isprintable() or is_step:
        raise wrong(name, f"{text!r} names no list", NOTHING_RENDERED)
    return text


LIST: Final = Kind(_list, is_text=True, metavar="NAME")
FIELDS: Final = Kind(lambda _name, value: Fields.parse(value))  # type: ignore[arg-type]  # it checks what it is given


@dataclass(frozen=True, kw_only=True, repr=False)
class ListArguments(SourceArguments):
    """A contact list that is brought in step with a source."""

    fields: Fields = argument(
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

    @property
    def is_mirror(self) -> bool:
        """The list is the rows of the source, and nothing else; otherwise rows are only appended."""
        return self.mode == "mirror"

    @property
    def title(self) -> str:
        """The list, for people."""
        return self.list_name or f"with id {self.list_id}"

    @property
    def source_columns(self) -> tuple[str, ...]:
        """The columns of the source that are used, as the user names them."""
        return tuple(dict.fromkeys([*self.fields.columns, *filter(None, [self.key_column])]))
