"""Rows for one statement: a batch of them is one parameter, since a parameter a value costs more CPU than a request."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.schema import Instant

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert  # PostgreSQL's has the same methods

_KINDS: Final = {Instant: "timestamptz", sa.Boolean: "boolean", sa.BigInteger: "bigint", sa.Integer: "integer"}
"""How PostgreSQL reads a value of each type; text else. A BigInteger is an Integer too, so it comes first."""


@cache
def batch(table: sa.Table, dialect: str, *columns: str) -> sa.Subquery:
    """The batch's rows as a table, to insert from, to update from, or to join.

    :param table: whose columns the rows have values for.
    :param dialect: ``sqlite`` or ``postgresql``.
    :param columns: their names; the statement's parameter ``rows`` is ``as_parameter`` of rows in this order.
    """
    types = [table.c[name].type for name in columns]
    if dialect == "postgresql":
        kinds = [next((kind for each, kind in _KINDS.items() if isinstance(type_, each)), "text") for type_ in types]
        values = [f"(value ->> {place})::{kind}" for place, kind in enumerate(kinds)]
        source = "jsonb_array_elements(CAST(:rows AS jsonb))"
    else:
        values = [f"json_extract(value, '$[{place}]')" for place in range(len(columns))]
        source = "json_each(:rows)"
    select = ", ".join(f"{value} AS {name}" for value, name in zip(values, columns, strict=True))
    # names and kinds are this package's own words
    text = sa.text(f"SELECT {select} FROM {source}")  # noqa: S608
    return text.columns(*map(sa.column, columns, types)).subquery("batch")


def insert_batch(table: sa.Table, dialect: str, columns: Sequence[str], *, same: Sequence[str] = ()) -> "Insert":
    """An INSERT of the batch's rows, which can say ON CONFLICT.

    :param columns: of the table, in the order of the rows' values.
    :param same: columns with one value for all rows: a parameter of the column's name.
    """
    values = (sa.bindparam(name, type_=table.c[name].type) for name in same)
    # SQLite cannot tell ON CONFLICT from a join's ON without a WHERE before it
    rows = sa.select(*batch(table, dialect, *columns).c, *values).where(sa.true())
    # the other dialect is not imported: each takes a while
    insert: Insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    return insert.from_select([*columns, *same], rows)


def as_parameter(rows: Iterable[Sequence[object]]) -> str:
    """Rows as the parameter of a ``batch``."""
    return json.dumps(list(rows))


def insert_row(connection: sa.Connection, table: sa.Table, **values: object) -> int:
    """Write one row.

    :returns: its id.
    """
    key = connection.execute(table.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def is_among(column: sa.ColumnElement[str], dialect: str, *, parameter: str) -> sa.ColumnElement[bool]:
    """Whether a column holds one of the names in a parameter, which is made by ``names``."""
    if dialect == "postgresql":
        return column == sa.func.any(sa.bindparam(parameter, type_=sa.ARRAY(sa.String)))
    return column.in_(sa.text(f"SELECT value FROM json_each(:{parameter})"))  # noqa: S608  # our own word


def names(values: Sequence[str], dialect: str) -> object:
    """Names as the parameter of ``is_among``."""
    return list(values) if dialect == "postgresql" else json.dumps(list(values))
