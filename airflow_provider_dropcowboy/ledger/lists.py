"""Contact lists of an account: which one stands for a name, which is being built, and what is left over."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import METADATA, Instant, Name
from airflow_provider_dropcowboy.ledger.syncs import DONE, SYNCS, Hold

LISTS: Final = sa.Table(
    "dropcowboy_lists",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),  # what it stands for; a list that is known by its id alone: that id
    sa.Column("list_id", Name, index=True),  # the vendor's; None: nobody knows it, or not yet
    sa.Column("vendor_name", sa.String, nullable=False),  # what it was called last at the vendor
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("is_known", sa.Boolean, nullable=False),  # all that is in it stands in dropcowboy_list_contacts
    sa.Column("counted", sa.Integer, nullable=False),  # what its contact_count must be, by the answers so far
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("freed_at", Instant),  # a person adopted it
)
sa.Index("dropcowboy_lists_name", LISTS.c.account, LISTS.c.name)
sa.Index(
    "dropcowboy_lists_current",
    LISTS.c.account,
    LISTS.c.name,
    unique=True,
    sqlite_where=sa.text("state = 'current'"),
    postgresql_where=sa.text("state = 'current'"),
)


class ListState(StrEnum):
    """Where a list stands. It moves down this order only, and never back."""

    CREATING = "creating"  # its creating was written down; nobody knows yet whether it exists
    LOST = "lost"  # the answer to its creating was lost: it may exist, empty, and nobody knows its id
    BUILDING = "building"  # under a name of its own, until it is whole
    SWAPPING = "swapping"  # it is whole and will be the current one: from here on only forward
    CURRENT = "current"  # what the name stands for
    RETIRED = "retired"  # to be deleted
    GONE = "gone"


OPEN: Final = (ListState.CREATING, ListState.BUILDING, ListState.SWAPPING, ListState.CURRENT, ListState.RETIRED)
"""States that a sync has something to do about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownList:
    """A list's row.

    :param list_id: the vendor's; None until it is created.
    :param vendor_name: what it was called last at the vendor.
    :param is_known: the ledger knows all that is in it; False: adopted, or an append to it stayed in doubt.
    :param counted: what its ``contact_count`` must be, by the answers so far.
    """

    id: int
    name: str
    list_id: str | None
    vendor_name: str
    state: ListState
    is_known: bool
    counted: int

    @property
    def vendor_id(self) -> str:
        """Its ``list_id``, for a list that was created."""
        assert self.list_id is not None
        return self.list_id


def lists_of(ledger: Ledger, account: str, *, name: str, states: Sequence[ListState] = OPEN) -> list[KnownList]:
    """The lists of a name in any of these states, the oldest first."""
    return _read(ledger, LISTS.c.account == account, LISTS.c.name == name, LISTS.c.state.in_(states))


def current_list(ledger: Ledger, account: str, *, name: str) -> KnownList | None:
    """The list that a name stands for now."""
    found = lists_of(ledger, account, name=name, states=[ListState.CURRENT])
    return found[0] if found else None


def list_by_id(ledger: Ledger, account: str, list_id: str) -> KnownList | None:
    """The list with this id, in whatever state."""
    found = _read(ledger, LISTS.c.account == account, LISTS.c.list_id == list_id)
    return found[-1] if found else None


def lost_names(ledger: Ledger, account: str, *, name: str) -> list[str]:
    """Names of lists that may be left over, lost since the last sync of this name that came to its end."""
    done = sa.and_(SYNCS.c.account == account, SYNCS.c.name == name, SYNCS.c.step == DONE)
    last_end = sa.select(sa.func.max(SYNCS.c.ended_at)).where(done).scalar_subquery()
    is_lost = sa.and_(LISTS.c.account == account, LISTS.c.name == name, LISTS.c.state == ListState.LOST.value)
    is_new = sa.or_(last_end.is_(None), LISTS.c.changed_at > last_end)
    with ledger.reading() as connection:
        return list(connection.execute(sa.select(LISTS.c.vendor_name).where(is_lost, is_new)).scalars())


def read_again(ledger: Ledger, known: KnownList) -> KnownList:
    """The list's row as it is now."""
    return _read(ledger, LISTS.c.id == known.id)[0]


def names_of(ledger: Ledger, account: str) -> list[KnownList]:
    """The current lists of an account, by name."""
    found = _read(ledger, LISTS.c.account == account, LISTS.c.state == ListState.CURRENT.value)
    return sorted(found, key=lambda known: known.name)


def add_list(
    hold: Hold,
    *,
    vendor_name: str,
    state: ListState = ListState.CREATING,
    list_id: str | None = None,
    is_known: bool = True,
    counted: int = 0,
) -> KnownList:
    """Another list of the sync's name is written down."""
    values = {
        "account": hold.sync.account,
        "name": hold.sync.name,
        "list_id": list_id,
        "vendor_name": vendor_name,
        "state": state.value,
        "is_known": is_known,
        "counted": counted,
    }
    with hold.writing(f"add {state}") as connection:
        at = now(connection)
        row_id = insert_row(connection, LISTS, created_at=at, changed_at=at, **values)
    return _read(hold.ledger, LISTS.c.id == row_id)[0]


def move_list(hold: Hold, known: KnownList, state: ListState, *, list_id: str | None = None) -> None:
    """A list is in another state.

    :param list_id: the vendor's, where it has one from now on.
    :raises BalanceError: it was not in the state that the sync knows of.
    """
    with hold.writing(f"{known.state} to {state}") as connection:
        move_within(connection, known, state, list_id=list_id)


def swap_lists(hold: Hold, *, new: KnownList, old: KnownList | None, name: str) -> None:
    """The new list is what the name stands for, and the old one is to be deleted; both or neither."""
    with hold.writing("swap") as connection:
        if old is not None:
            move_within(connection, old, ListState.RETIRED)
        move_within(connection, new, ListState.CURRENT)
        connection.execute(LISTS.update().where(LISTS.c.id == new.id).values(vendor_name=name))


def move_within(connection: sa.Connection, known: KnownList, state: ListState, *, list_id: str | None = None) -> None:
    """``move_list``, within a transaction of the sync."""
    values: dict[str, object] = {"state": state.value, "changed_at": now(connection)}
    if list_id is not None:
        values["list_id"] = list_id
    done = connection.execute(
        LISTS.update().where(LISTS.c.id == known.id, LISTS.c.state == known.state.value).values(values)
    )
    if done.rowcount != 1:
        raise BalanceError(
            f"The ledger's list {known.id} of {known.name!r} is not {known.state} any more, though nobody else had it. "
            "Nothing was changed at Drop Cowboy by this step. The ledger was changed or restored: look into it."
        )


def note(
    hold: Hold,
    known: KnownList,
    *,
    vendor_name: str | None = None,
    is_known: bool | None = None,
    counted: int | None = None,
) -> None:
    """What is known of a list is written down."""
    given = {"vendor_name": vendor_name, "is_known": is_known, "counted": counted}
    with hold.writing("note") as connection:
        values = {name: value for name, value in given.items() if value is not None}
        connection.execute(LISTS.update().where(LISTS.c.id == known.id).values(**values, changed_at=now(connection)))


def free_list(hold: Hold, known: KnownList) -> None:
    """A person adopted the list: syncs may change it. A mirror is built anew, since its contents are not proven."""
    with hold.writing("adopt") as connection:
        values = {"is_known": False, "freed_at": now(connection)}
        connection.execute(LISTS.update().where(LISTS.c.id == known.id).values(values))


def rename_in_ledger(hold: Hold, known: KnownList, name: str) -> None:
    """All that belonged to the sync's name belongs to another one."""
    with hold.writing("rename") as connection:
        of_name = sa.and_(LISTS.c.account == hold.sync.account, LISTS.c.name == hold.sync.name)
        connection.execute(LISTS.update().where(of_name).values(name=name, changed_at=now(connection)))
        connection.execute(LISTS.update().where(LISTS.c.id == known.id).values(vendor_name=name))


def _read(ledger: Ledger, *conditions: sa.ColumnElement[bool]) -> list[KnownList]:
    with ledger.reading() as connection:
        columns = (LISTS.c[item.name] for item in fields(KnownList))
        rows = connection.execute(sa.select(*columns).where(*conditions).order_by(LISTS.c.id))
        return [KnownList(**{**row, "state": ListState(row["state"])}) for row in rows.mappings()]
