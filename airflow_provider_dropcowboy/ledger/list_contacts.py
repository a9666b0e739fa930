"""What is in a contact list: who was appended, who was refused, and of whom nobody knows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.ledger.batch import as_parameter, insert_batch, insert_row
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.lists import LISTS, KnownList
from airflow_provider_dropcowboy.ledger.schema import METADATA, Instant, Name
from airflow_provider_dropcowboy.ledger.syncs import Hold

LIST_CONTACTS: Final = sa.Table(
    "dropcowboy_list_contacts",
    METADATA,
    sa.Column("list", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_digest", Name, primary_key=True),
    sa.Column("content_digest", Name, nullable=False),
    sa.Column("content_before", Name),  # what is in the list, while other values are being appended, or were refused
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("append_id", sa.Integer, nullable=False, index=True),
    sa.Column("contact_key", sa.String),  # None once it is accepted: then nobody needs to know who it is
    sa.Column("reason", sa.String),
)

LIST_APPENDS: Final = sa.Table(
    "dropcowboy_list_appends",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("list", sa.Integer, nullable=False, index=True),
    sa.Column("sync_id", sa.Integer, nullable=False),  # that claimed it
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("accepted_count", sa.Integer),
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),
)

READ_ROWS: Final = 5_000
FORGET_ROWS: Final = 20_000
"""Of a deleted list, in one transaction: a sender does not wait long for the lock."""

_contact: Final = LIST_CONTACTS.c


class ContactState(StrEnum):
    """Where a contact of a list, or an append, stands."""

    PREPARED = "prepared"  # of an append: its contacts are claimed, and its request is not begun
    CLAIMED = "claimed"  # written down before its request; in doubt, if its sync is dead
    ACCEPTED = "accepted"
    REJECTED = "rejected"  # the vendor refused this contact, with its reason; not sent again with the same values
    UNKNOWN = "unknown"  # may be in the list: not sent again
    RELEASED = "released"  # of an append: not carried out; its contacts are as they were before


@dataclass(frozen=True, slots=True)
class Inside:
    """A contact as the ledger knows it.

    :param content_before: what is in the list, if it is not what ``content_digest`` says.
    """

    key_digest: str
    content_digest: str
    content_before: str | None
    state: ContactState


@dataclass(frozen=True, slots=True)
class Odd:
    """A contact that is not in the list as it should be, for people."""

    contact_key: str | None
    state: ContactState
    reason: str | None


@dataclass(frozen=True, slots=True)
class OpenAppend:
    """An append of which nobody knows whether it was carried out."""

    id: int
    row_count: int


def claim_append(
    hold: Hold, list_row: int, *, contacts: Sequence[tuple[str, str, str]], is_prepared: bool = False
) -> int:
    """Who will be appended by one call is written down, before it is made.

    :param contacts: key digest, content digest and contact key of each.
    :param is_prepared: the call is made only after ``begin_append``.
    :returns: the append's id in the ledger.
    """
    with hold.writing("append") as connection:
        claimed = ContactState.CLAIMED.value
        state = ContactState.PREPARED.value if is_prepared else claimed
        counts = {"list": list_row, "sync_id": hold.sync.id, "row_count": len(contacts)}
        append_id = insert_row(connection, LIST_APPENDS, state=state, claimed_at=now(connection), **counts)
        values = {"rows": as_parameter(contacts), "list": list_row, "append_id": append_id, "state": claimed}
        done = connection.execute(_claims(connection.dialect.name), values)
        if done.rowcount != len(contacts):
            raise BalanceError(f"The ledger took {done.rowcount} of {len(contacts)} contacts. None was appended.")
        return append_id


def begin_append(hold: Hold, *, append_id: int) -> None:
    """The request of a prepared append is to be written: from now on, its contacts may be in the list."""
    with hold.writing("append") as connection:
        _move(connection, append_id, ContactState.CLAIMED)


def record_append(
    hold: Hold, list_row: int, *, append_id: int, accepted_count: int, rejected: Sequence[tuple[str, str]] = ()
) -> None:
    """What an append came to is on disk.

    :param rejected: key digest and reason of those who were refused.
    """
    with hold.writing("record") as connection:
        _move(connection, append_id, ContactState.ACCEPTED, accepted_count=accepted_count, answered_at=now(connection))
        if rejected:
            refused = LIST_CONTACTS.update().where(_is_open(append_id), _contact.list == list_row)
            connection.execute(
                refused.where(_contact.key_digest == sa.bindparam("b_key_digest")).values(
                    state=ContactState.REJECTED.value, reason=sa.bindparam("b_reason")
                ),
                [{"b_key_digest": digest, "b_reason": reason} for digest, reason in sorted(rejected)],
            )
        connection.execute(
            LIST_CONTACTS.update()
            .where(_is_open(append_id))
            .values(state=ContactState.ACCEPTED.value, content_before=None, contact_key=None, reason=None)
        )
        connection.execute(
            LISTS.update().where(LISTS.c.id == list_row).values(counted=LISTS.c.counted + accepted_count)
        )


def release_append(hold: Hold, *, append_id: int) -> None:
    """An append was not carried out: its contacts are as they were before."""
    with hold.writing("release") as connection:
        _move(connection, append_id, ContactState.RELEASED, answered_at=now(connection))
        connection.execute(LIST_CONTACTS.delete().where(_is_open(append_id), _contact.content_before.is_(None)))
        connection.execute(
            LIST_CONTACTS.update()
            .where(_is_open(append_id))
            .values(
                state=ContactState.ACCEPTED.value,
                content_digest=_contact.content_before,
                content_before=None,
                contact_key=None,
            )
        )


def hold_unknown(hold: Hold, list_row: int, *, appends: Iterable[OpenAppend], counted: int) -> None:
    """These appends stay in doubt: nobody appends their contacts again.

    :param counted: what the vendor counts now, from where later appends are counted.
    """
    why = "the answer to its append was lost"
    unknown = LIST_CONTACTS.update().values(state=ContactState.UNKNOWN.value, reason=why)
    with hold.writing("hold as unknown") as connection:
        for append in appends:
            _move(connection, append.id, ContactState.UNKNOWN, answered_at=now(connection))
            connection.execute(unknown.where(_is_open(append.id)))
        connection.execute(LISTS.update().where(LISTS.c.id == list_row).values(counted=counted))


def settle_unknown(hold: Hold, list_row: int, *, is_inside: bool) -> int:
    """A person says whether the contacts in doubt are in the list; how many there were."""
    with hold.writing("settle") as connection:
        unknown = sa.and_(_contact.list == list_row, _contact.state == ContactState.UNKNOWN.value)
        inside = LIST_CONTACTS.update().values(state=ContactState.ACCEPTED.value, contact_key=None, reason=None)
        settled = inside.where(unknown) if is_inside else LIST_CONTACTS.delete().where(unknown)
        return connection.execute(settled).rowcount


def forget_contacts(hold: Hold, known: KnownList) -> None:
    """Nothing is remembered of what was in a list that is gone."""
    some = sa.select(LIST_CONTACTS.c.key_digest).where(LIST_CONTACTS.c.list == known.id).limit(FORGET_ROWS)
    statement = LIST_CONTACTS.delete().where(LIST_CONTACTS.c.list == known.id, LIST_CONTACTS.c.key_digest.in_(some))
    while True:
        with hold.writing("forget") as connection:
            if connection.execute(statement).rowcount < FORGET_ROWS:
                return


def open_appends(ledger: Ledger, list_row: int, *, state: ContactState = ContactState.CLAIMED) -> list[OpenAppend]:
    """The appends to a list that were written down and have no answer; or those that were only prepared."""
    with ledger.reading() as connection:
        found = sa.select(LIST_APPENDS.c.id, LIST_APPENDS.c.row_count).order_by(LIST_APPENDS.c.id)
        rows = connection.execute(found.where(LIST_APPENDS.c.list == list_row, LIST_APPENDS.c.state == state.value))
        return [OpenAppend(row.id, row.row_count) for row in rows]


def contents(ledger: Ledger, list_row: int) -> Iterator[Inside]:
    """All that is known of a list's contacts, in the order of their keys, streamed."""
    statement = (
        sa.select(_contact.key_digest, _contact.content_digest, _contact.content_before, _contact.state)
        .where(_contact.list == list_row)
        .order_by(_contact.key_digest)
        .execution_options(stream_results=True, yield_per=READ_ROWS)
    )
    with ledger.reading() as connection:
        for key_digest, content_digest, content_before, state in connection.execute(statement):
            yield Inside(key_digest, content_digest, content_before, ContactState(state))


def restate_contents(hold: Hold, list_row: int, *, contents: Iterable[tuple[str, str, str]]) -> None:
    """Digests that an older release wrote of contacts' values are those that this one writes.

    :param contents: key digest, content digest as it is, and as it is to be.
    """
    restated = LIST_CONTACTS.update().where(
        _contact.list == list_row,
        _contact.key_digest == sa.bindparam("b_key_digest"),
        _contact.content_digest == sa.bindparam("b_old"),
    )
    statement = restated.values(content_digest=sa.bindparam("b_new"))
    rest = iter(contents)
    while chunk := list(islice(rest, READ_ROWS)):
        with hold.writing("compare") as connection:
            rows = [{"b_key_digest": key, "b_old": old, "b_new": new} for key, old, new in chunk]
            connection.execute(statement, rows)


def odd_digests(ledger: Ledger, list_row: int) -> list[tuple[str, ContactState]]:
    """Keys of those who were refused, or are in doubt."""
    statement = sa.select(_contact.key_digest, _contact.state).where(*_odd(list_row))
    with ledger.reading() as connection:
        return [(digest, ContactState(state)) for digest, state in connection.execute(statement)]


def odd_contacts(ledger: Ledger, list_row: int, *, limit: int) -> list[Odd]:
    """Those who were refused, or are in doubt, by their contact keys."""
    statement = sa.select(_contact.contact_key, _contact.state, _contact.reason).where(*_odd(list_row))
    with ledger.reading() as connection:
        rows = connection.execute(statement.order_by(_contact.state, _contact.contact_key).limit(limit))
        return [Odd(row.contact_key, ContactState(row.state), row.reason) for row in rows]


def count_contacts(ledger: Ledger, list_row: int) -> Counter[ContactState]:
    """How many contacts of a list stand where."""
    statement = sa.select(_contact.state, sa.func.count().label("n")).where(_contact.list == list_row)
    with ledger.reading() as connection:
        rows = connection.execute(statement.group_by(_contact.state))
        return Counter({ContactState(row.state): row.n for row in rows})


def _odd(list_row: int) -> tuple[sa.ColumnElement[bool], ...]:
    return _contact.list == list_row, _contact.state != ContactState.ACCEPTED.value


def _is_open(append_id: int) -> sa.ColumnElement[bool]:
    """Which contacts are of an append without an answer."""
    return sa.and_(_contact.append_id == append_id, _contact.state == ContactState.CLAIMED.value)


_BEFORE: Final = {ContactState.CLAIMED: ["prepared"], ContactState.RELEASED: ["claimed", "prepared"]}
"""From which states an append comes to these; to all others from claimed."""


def _move(connection: sa.Connection, append_id: int, state: ContactState, **values: object) -> None:
    is_there = sa.and_(LIST_APPENDS.c.id == append_id, LIST_APPENDS.c.state.in_(_BEFORE.get(state, ["claimed"])))
    done = connection.execute(LIST_APPENDS.update().where(is_there).values(state=state.value, **values))
    if done.rowcount != 1:
        raise BalanceError(
            f"Append {append_id} of the ledger has an answer already, though nobody else had its list. "
            "The ledger was changed or restored: look into it."
        )


@cache
def _claims(dialect: str) -> Any:
    columns = ("key_digest", "content_digest", "contact_key")
    insert = insert_batch(LIST_CONTACTS, dialect, columns, same=("list", "append_id", "state"))
    was_inside = _contact.state == ContactState.ACCEPTED.value
    replacing = insert.on_conflict_do_update(
        index_elements=[_contact.list, _contact.key_digest],
        set_={
            "content_before": sa.case((was_inside, _contact.content_digest), else_=_contact.content_before),
            "content_digest": insert.excluded.content_digest,
            "state": insert.excluded.state,
            "append_id": insert.excluded.append_id,
            "contact_key": insert.excluded.contact_key,
            "reason": None,
        },
    )
    return replacing.execution_options(preserve_rowcount=True)
