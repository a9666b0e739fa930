"""Rows that the DAG itself hands over."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized

from airflow_provider_dropcowboy.contacts.contact import with_all_columns
from airflow_provider_dropcowboy.errors import ConfigurationError

Contacts = Iterable[Mapping[str, object]] | Callable[[], Iterable[Mapping[str, object]]]


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
