"""Rows for one statement: a batch of them is one parameter, since a parameter a value costs more CPU than a request."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.schema import Instant

if TYPE_CHECKING:
    from sqlalchemy.dialects.sqlite import Insert  # PostgreSQL's has the same methods

Kind = Literal["text", "integer", "bigint", "boolean", "timestamptz"]

_TYPES: Final[dict[Kind, sa.types.TypeEngine[Any]]] = {
    "text": sa.String(),
    "integer": sa.Integer(),
    "bigint": sa.BigInteger(),
    "boolean": sa.Boolean(),
    "timestamptz": Instant(),
}


@cache
def batch(dialect: str, *columns: tuple[str, Kind]) -> sa.Subquery:
    """A table of the batch's rows, to insert from, to update from, or to join.

    :param dialect: ``sqlite`` or ``postgresql``.
    :param columns: name and kind of each; the statement's parameter ``rows`` is ``as_parameter`` of rows in this order.
    """
    if dialect == "postgresql":
        select = ", ".join(f"(value ->> {place})::{kind} AS {name}" for place, (name, kind) in enumerate(columns))
        source = "jsonb_array_elements(CAST(:rows AS jsonb))"
    else:
        select = ", ".join(
            f"json_extract(value, '$[{place}]') AS {name}" for place, (name, _kind) in enumerate(columns)
        )
        source = "json_each(:rows)"
    # names and kinds are this package's own words
    text = sa.text(f"SELECT {select} FROM {source}")  # noqa: S608
    return text.columns(*(sa.column(name, _TYPES[kind]) for name, kind in columns)).subquery("batch")


def insert_batch(table: sa.Table, dialect: str, columns: Sequence[str], *, same: Sequence[str] = ()) -> "Insert":
    """An INSERT of the batch's rows, which can say ON CONFLICT.

    :param columns: of the table, in the order of the rows' values.
    :param same: columns with one value for all rows: a parameter of the column's name.
    """
    new = batch(dialect, *((name, _kind_of(table.c[name])) for name in columns))
    values = (sa.bindparam(name, type_=table.c[name].type) for name in same)
    # SQLite cannot tell ON CONFLICT from a join's ON without a WHERE before it
    rows = sa.select(*new.c, *values).where(sa.true())
    # the other dialect is not imported: each takes a while
    insert: Insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
    return insert.from_select([*columns, *same], rows)


def _kind_of(column: sa.Column[Any]) -> Kind:
    return next((kind for kind, type_ in reversed(_TYPES.items()) if isinstance(column.type, type(type_))), "text")


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
