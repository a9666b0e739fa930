"""Where contacts are read from, and who is left out: the arguments that a send and a list's sync share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.argument_kinds import ANYTHING, COLUMN, MAPPING, NAME, PATH, PROSE, REGION
from airflow_provider_dropcowboy.arguments import Arguments, Kind, argument, given_of, one_of, wrong
from airflow_provider_dropcowboy.contacts.contact import with_all_columns
from airflow_provider_dropcowboy.contacts.sql import Parameters
from airflow_provider_dropcowboy.errors import ConfigurationError

Contacts = Iterable[Mapping[str, object]] | Callable[[], Iterable[Mapping[str, object]]]


def _read_suppression_column(_name: str, value: object) -> object:
    names = [value] if value is None or isinstance(value, str) else value
    if (
        not isinstance(names, list | tuple)
        or not names
        or not all(name is None or (isinstance(name, str) and name) for name in names)
    ):
        raise ConfigurationError(
            f"suppression_column is {value!r}. Nothing was sent. Name the column of the number; a list of columns if "
            "their cells belong together, such as area code and number."
        )
    return value


def _read_allowance(_name: str, value: object) -> object:
    allowed = allowance_of(value) if isinstance(value, str) else value
    is_share = isinstance(allowed, float) and 0 <= allowed <= 1
    if not is_share and (not isinstance(allowed, int) or isinstance(allowed, bool) or allowed < 0):
        raise ConfigurationError(
            f"max_unreadable_suppressions is {value!r}. Nothing was sent. "
            "Write how many entries may be unreadable (10), or which share of them (0.001)."
        )
    return allowed


def allowance_of(text: str) -> float | None:
    """``10`` is a number of entries, an int; ``0.001`` and ``0.1%`` are a share of them, a float; None: neither."""
    text = text.strip()
    try:
        if text.endswith("%") or "." in text:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
            return share if 0 <= share <= 1 else None
        return count if (count := int(text)) >= 0 else None
    except ValueError:
        return None


_SUPPRESSION_COLUMN: Final = Kind(_read_suppression_column, is_text=True, metavar="COLUMN")
ALLOWANCE: Final = Kind(_read_allowance, metavar="N|SHARE")


@dataclass(frozen=True, kw_only=True, repr=False)
class SourceArguments(Arguments):
    """Whom a task reads, and whom it leaves out: of a send and of a list's sync."""

    sql: str | None = argument(
        PROSE,
        "Query whose rows are contacts, or the name of a `.sql` file. It runs on `sql_conn_id` and is streamed. "
        "Give exactly one of `sql`, `contacts` and `path`.",
    )
    sql_conn_id: str | None = argument(NAME, "Airflow connection of the warehouse.")
    parameters: Parameters | None = argument(
        ANYTHING, "Parameters of the query, by name or position, as the database driver accepts them."
    )
    sql_hook_params: Mapping[str, object] | None = argument(
        MAPPING, 'Parameters of the connection\'s hook, such as `{"warehouse": "…"}`.'
    )
    contacts: Contacts | None = argument(
        ANYTHING,
        "Rows as dicts: a list, an XComArg, or a callable that returns an iterable of them. Literal rows in `partial` "
        "or `expand` land in the serialized DAG, where every reader of DAGs sees them: use a callable or an XComArg.",
    )
    path: str | None = argument(
        PATH,
        "File on Airflow's object storage: `.csv`, `.jsonl`, `.ndjson` (each also `.gz`) or `.parquet`.",
    )
    key_column: str | None = argument(
        COLUMN, "Column that identifies a person. Without it, the number is the contact key."
    )
    region: str = argument(REGION, "Country of numbers without a country code, ISO 3166 alpha-2.", default="US")
    suppression_sql: str | None = argument(
        PROSE,
        "Query of numbers that are left out, in any notation. It runs on `suppression_conn_id` before anything is "
        "sent. The ledger's own list always applies.",
    )
    suppression_conn_id: str | None = argument(NAME, "Airflow connection that `suppression_sql` runs on.")
    suppression_column: str | Sequence[str] | None = argument(
        _SUPPRESSION_COLUMN,
        "The column of the number in the suppression list; a list of columns if their cells belong together, such as "
        "area code and number. Default: the only column that fits by its name and its values.",
    )
    max_unreadable_suppressions: float = argument(
        ALLOWANCE,
        "Most entries of the suppression list that may not be phone numbers: an int is a number of entries, a float a "
        "share of them. Above it, or without any number, nobody is contacted.",
        default=0,
    )
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        source = one_of(values, "sql", "contacts", "path")
        for query, connection in (("sql", "sql_conn_id"), ("suppression_sql", "suppression_conn_id")):
            if values[query] is not None and values[connection] is None:
                raise wrong(connection, "is missing", f"Name the Airflow connection that {query} is run on.")
        if source != "sql":
            for name in given_of(values, "sql_conn_id", "parameters", "sql_hook_params"):
                raise wrong(name, "is given without sql", "Leave it out, or give sql.")


def read_iterable(contacts: Contacts) -> Iterator[Mapping[str, object]]:
    """The rows of a list of dicts, or of what a callable returns; a column some rows lack is None there.

    Each wave reads the source anew, so a callable is called again for each reading.

    :raises ConfigurationError: an item is no mapping of column names; or a generator, which can be read only once.
    """
    if isinstance(contacts, Iterator):  # the second wave would find it empty and withdraw everybody it holds
        raise ConfigurationError(
            "contacts is a generator, which can be read only once. Hand over the function that makes it, or a list."
        )
    items = contacts() if callable(contacts) else contacts
    rows = with_all_columns(_rows(items))
    return _Counted(rows, len(items)) if isinstance(items, Sized) else rows


class _Counted(Iterator[Mapping[str, object]]):
    """Rows that tell ``operator.length_hint`` how many they are."""

    def __init__(self, rows: Iterable[Mapping[str, object]], count: int) -> None:
        self._rows = iter(rows)
        self._count = count

    def __next__(self) -> Mapping[str, object]:
        return next(self._rows)

    def __length_hint__(self) -> int:
        return self._count


def _rows(items: Iterable[object]) -> Iterator[Mapping[str, object]]:
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"contacts is a {type(items).__name__}. Hand over an iterable of dicts, one a row.")
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise ConfigurationError(
                f"contacts[{index}] is a {type(item).__name__}. Each item must be a dict, column to value."
            )
        if not all(isinstance(column, str) for column in item):
            raise ConfigurationError(f"contacts[{index}] has a column name that is not text. Name columns by text.")
        yield item
