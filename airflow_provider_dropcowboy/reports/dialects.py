"""The SQL of an export's table, in the dialect and with the parameters of each warehouse."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.reports.deliveries import COLUMNS, Delivery, cells_of

_DIALECTS: Final = {"gcpbigquery": "bigquery", "mssql": "tsql"}

MERGING: Final = ("bigquery", "databricks", "duckdb", "trino")
"""Dialects of warehouses without transactions over several statements, and with MERGE."""

REPLACING: Final = ("clickhouse",)
"""Dialects of which a table keeps the last row of a key by itself."""


# no percent sign: many drivers read it as a parameter
_PART: Final = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"[^"%\x00]+")'
_NAME: Final = re.compile(rf"{_PART}(?:\.{_PART}){{0,2}}")


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows go.

    :param name: as SQL names it: ``deliveries``, ``analytics.deliveries``, or with parts in double quotes.
    :param conn_type: of the Airflow connection: ``postgres``, ``snowflake``; it names the dialect of SQL.
    :param columns: of a delivery, that are written.
    :raises ConfigurationError: no name of a table.
    """

    name: str
    conn_type: str
    columns: tuple[str, ...] = COLUMNS

    def __post_init__(self) -> None:
        # it becomes part of a statement, and may come from a template
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"table={self.name!r} names no table. Write deliveries, schema.deliveries, or parts in double quotes."
            )

    @property
    def dialect(self) -> str:
        """sqlglot's name of the dialect; empty: standard SQL."""
        from sqlglot import Dialect

        name = _DIALECTS.get(self.conn_type, self.conn_type)
        return name if Dialect.get(name) else ""

    @property
    def quoted(self) -> str:
        """Its name with the quotes of the dialect."""
        from sqlglot import exp

        return exp.to_table(self.name, dialect="postgres").sql(self.dialect)

    @property
    def is_transactional(self) -> bool:
        """Rows are replaced in a transaction; else one statement replaces them."""
        return self.dialect not in (*MERGING, *REPLACING)


SESSIONS: Final = {"mysql": "SET time_zone = '+00:00'"}
"""What comes first in a session: MySQL reads the text of an instant in its session's time zone."""

_INSTANT: Final = {
    "clickhouse": "Nullable(DateTime64(6, 'UTC'))",
    "mysql": "TIMESTAMP(6)",
    "trino": "TIMESTAMP(6) WITH TIME ZONE",
}
_TEXT: Final = {"oracle": "VARCHAR(1000)", "tsql": "NVARCHAR(1000)"}  # a CLOB cannot be compared; VARCHAR has no é


def _type(dialect: str, column: str) -> str:
    """Of a column, in the dialect; MySQL has no instants with a zone that keep their fraction, and gets UTC."""
    from sqlglot import exp

    kind = _TEXT.get(dialect, "TEXT")
    if column == "foreign_id":
        kind = "VARCHAR(48)"
    elif column.endswith("_at"):
        kind = _INSTANT.get(dialect, "TIMESTAMP WITH TIME ZONE")
    elif column.endswith("_usd"):
        kind = "NUMERIC(18, 6)"
    if dialect in ("", "sqlite"):  # it keeps any name of a type
        return kind
    read = dialect if kind in (_INSTANT.get(dialect), _TEXT.get(dialect)) and dialect != "mysql" else "postgres"
    return exp.DataType.build(kind, dialect=read).sql(dialect)


def definition(table: Table) -> str:
    """The statement that makes the table, if it is not there."""
    dialect = table.dialect
    columns = {column: _type(dialect, column) for column in table.columns}
    if dialect in REPLACING:
        columns["foreign_id"] = "String"
    elif table.is_transactional:
        columns["foreign_id"] += " PRIMARY KEY"
    made = f"CREATE TABLE IF NOT EXISTS {table.quoted} ({', '.join(map(' '.join, columns.items()))})"
    if dialect in REPLACING:
        return f"{made} ENGINE = ReplacingMergeTree ORDER BY foreign_id"
    if dialect == "tsql":  # it has no IF NOT EXISTS
        name = table.name.replace("'", "''")
        return f"IF OBJECT_ID('{name}') IS NULL {made.replace(' IF NOT EXISTS', '')}"
    return made


class Parameters:
    """Values of a statement, and the marks that its driver has for them (PEP 249)."""

    def __init__(self, cursor: object) -> None:
        self._style = _paramstyle(cursor)
        self._values: list[object] = []

    def mark(self, value: object) -> str:
        """The value's place in the statement."""
        self._values.append(value)
        number = len(self._values)
        styles = {"qmark": "?", "format": "%s", "numeric": f":{number}", "named": f":p{number}"}
        return styles.get(self._style, f"%(p{number})s")

    def bound(self) -> Sequence[object] | Mapping[str, object]:
        """The values as ``execute`` accepts them."""
        if self._style in ("qmark", "format", "numeric"):
            return self._values
        return {f"p{number}": value for number, value in enumerate(self._values, 1)}


def _paramstyle(cursor: object) -> str:
    """As the driver's module says; drivers of Airflow's own (BigQuery) say nothing, and have pyformat."""
    for cls in cursor.__class__.__mro__:
        name = cls.__module__
        while name:
            style = getattr(sys.modules.get(name), "paramstyle", None)
            if style:
                return str(style)
            name = name.rpartition(".")[0]
    return "pyformat"


def mark_of(parameters: Parameters, dialect: str, value: object) -> str:
    """A cell's place in an INSERT.

    Instants and amounts are text, which most databases turn into the column's type, and no driver needs an adapter for.
    """
    match value:
        case datetime() if dialect == "oracle":
            text = value.astimezone(UTC).isoformat(" ", "microseconds")
            return f"TO_TIMESTAMP_TZ({parameters.mark(text)}, 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')"
        case datetime() if dialect in ("mysql", *REPLACING):
            return parameters.mark(_utc_text(value))
        case datetime() if dialect == "redshift":
            return parameters.mark(value)
        case datetime():
            return parameters.mark(value.isoformat())
        case Decimal():
            return parameters.mark(str(value))
        case _:
            return parameters.mark(value)


def ids_of(foreign_ids: Sequence[str], parameters: Parameters, dialect: str) -> str:
    """The ids of an IN: text of the ledger's own, in the statement itself where that carries few parameters."""
    from sqlglot import exp

    if dialect in MERGING:
        return ", ".join(exp.Literal.string(foreign_id).sql(dialect) for foreign_id in foreign_ids)
    return ", ".join(map(parameters.mark, foreign_ids))


def merge_statement(table: Table, changed: Sequence[Delivery]) -> str:
    """One statement for all rows, with its values in it: a query of Databricks or Trino carries few parameters."""
    from sqlglot import exp

    dialect = table.dialect
    types = [_type(dialect, column) for column in table.columns]
    cells = cells_of(table.columns)
    zone = _ZONE.get(dialect, " UTC")

    def literal(value: object, kind: str) -> str:
        if isinstance(value, datetime):
            value = f"{_utc_text(value)}{zone}"
        text = "NULL" if value is None else exp.Literal.string(str(value)).sql(dialect)
        return f"CAST({text} AS {kind})"

    def select(row: Delivery) -> str:
        named = zip(cells(row), types, table.columns, strict=True)
        return "SELECT " + ", ".join(f"{literal(value, kind)} AS {column}" for value, kind, column in named)

    updated = ", ".join(f"{column} = fresh.{column}" for column in table.columns if column != "foreign_id")
    return (
        f"MERGE INTO {table.quoted} AS sent USING ({' UNION ALL '.join(map(select, changed))}) AS fresh "  # noqa: S608
        f"ON sent.foreign_id = fresh.foreign_id WHEN MATCHED THEN UPDATE SET {updated} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(table.columns)}) "
        f"VALUES ({', '.join(f'fresh.{column}' for column in table.columns)})"
    )


def _utc_text(instant: datetime) -> str:
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_ZONE: Final = {"duckdb": "+00"}  # it knows zones by name only with its extension icu
