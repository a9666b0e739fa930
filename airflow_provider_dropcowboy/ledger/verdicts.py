"""The rows that runs did not send, each with its last verdict: what an export gives back beside the sends."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_dropcowboy.ledger.batch import as_parameter, batch
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import NOT_SENT
from airflow_provider_dropcowboy.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """One row that a run read and did not send.

    :param name: of the row, the same in every run; begins with its campaign's prefix.
    :param foreign_id: of its message; None: the row makes none of its own.
    :param contact_key: None also if the key is the phone number: the ledger keeps no number that was not contacted.
    :param number_digest: None: the number cannot be read.
    :param opens_at: aware: when the row may be sent; None: it waits for no time.
    """

    name: str
    foreign_id: str | None
    contact_key: str | None = field(repr=False)
    number_digest: str | None
    state: State
    reason: str
    rule: str | None = None
    opens_at: datetime | None = None


def invalid_name(foreign_id: str) -> str:
    """The name of a row without a usable number or text; a row with the same key may make the message."""
    return foreign_id[: FOREIGN_ID_CHARACTERS - len(_INVALID)] + _INVALID


def keep_verdicts(ledger: Ledger, run: Run, rows: Sequence[NotSent]) -> None:
    """The rows have these verdicts now, by this run. Doing it again changes nothing.

    :param rows: each name once.
    :raises LedgerError: the database was not reached.
    """
    dialect = ledger.engine.dialect.name
    values = [
        (
            row.name,
            row.foreign_id,
            row.contact_key,
            row.number_digest,
            row.state.value,
            row.reason,
            row.rule,
            row.opens_at and _as_text(row.opens_at, dialect),
        )
        for row in sorted(rows, key=lambda row: row.name)  # in this order, so that two runs never wait in a circle
    ]
    with ledger.writing() as connection:
        connection.execute(_upsert(dialect), {"rows": as_parameter(values), "run_id": run.id})


def _as_text(instant: datetime, dialect: str) -> str:
    at = instant.astimezone(UTC)
    return at.isoformat() if dialect == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")


@cache
def _upsert(dialect: str) -> sa.Insert:
    new = batch(
        dialect,
        *((column, "text") for column in _WRITTEN if column != "opens_at"),
        ("opens_at", "timestamptz"),
    )
    columns = (new.c[column] for column in _WRITTEN)
    # without a WHERE, SQLite reads ON CONFLICT as the beginning of a join
    rows = sa.select(*columns, sa.bindparam("run_id", type_=sa.Integer)).where(sa.true())
    insert_into = postgresql.insert if dialect == "postgresql" else sqlite.insert
    insert = insert_into(NOT_SENT).from_select([*_WRITTEN, "run_id"], rows)
    changed = {column: insert.excluded[column] for column in (*_WRITTEN, "run_id") if column != "name"}
    return insert.on_conflict_do_update(index_elements=[NOT_SENT.c.name], set_=changed)


_INVALID: Final = "-invalid"
_WRITTEN: Final = ("name", "foreign_id", "contact_key", "number_digest", "state", "reason", "rule", "opens_at")
