"""The rule of parts in the SQL of warehouses without an engine here, run on DuckDB.

BigQuery's is translated by sqlglot. Of the others, each function that DuckDB lacks is made here, as its warehouse's
reference says, and is held to an example of that reference where there is one.
"""

from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

import duckdb
import pytest
import sqlglot

from airflow_provider_dropcowboy.contacts.key import canonical_key
from airflow_provider_dropcowboy.contacts.partition import Partition, partitions

KEYS = ["1", "-20", "300000", "12.00", "-7.000", "0.5", "a-1", "007", "Zoë", "0a1b2c3d-0000-4000-8000-00000000000a"]


def conv(text: str, base: int, to_base: int) -> str:
    """Databricks: https://docs.databricks.com/sql/language-manual/functions/conv.html."""
    assert to_base == 10
    return str(int(text, base))


def strtol(text: str, base: int) -> int:
    """Redshift: https://docs.aws.amazon.com/redshift/latest/dg/r_STRTOL.html."""
    return int(text, base)


def from_base(text: str, radix: int) -> int:
    """Trino: https://trino.io/docs/current/functions/math.html."""
    return int(text, radix)


def hexadecimal(text: str, form: str) -> int:
    """Oracle's TO_NUMBER with the format X.

    https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/Format-Models.html.
    """
    assert form == "X" * len(text)
    return int(text, 16)


def standard_hash(text: str, method: str) -> bytes:
    """Oracle's: a RAW; https://docs.oracle.com/en/database/oracle/oracle-database/23/sqlrf/STANDARD_HASH.html."""
    assert method == "MD5"
    return md5(text.encode()).digest()


def of_bytes(content: bytes) -> str:
    """Oracle's RAWTOHEX, and TO_HEX of Trino: upper case."""
    return content.hex().upper()


def digest(content: bytes) -> bytes:
    """Trino's MD5: of bytes, as bytes; https://trino.io/docs/current/functions/binary.html."""
    return md5(content).digest()


@dataclass(frozen=True, slots=True)
class Dialect:
    """What has to be made for a warehouse's condition to run on DuckDB.

    :ivar functions: by name, with their types.
    :ivar words: that the condition writes otherwise than DuckDB; a Python function goes by another name than DuckDB's.
    """

    functions: dict[str, tuple[Any, Any, str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


BACK = {r"$1": r"\1"}
DIALECTS = {
    "databricks": Dialect({"CONV": (conv, ["VARCHAR", "INT", "INT"], "VARCHAR")}, BACK),
    "redshift": Dialect({"STRTOL": (strtol, ["VARCHAR", "INT"], "BIGINT")}),
    "trino": Dialect(
        {
            "from_base": (from_base, ["VARCHAR", "INT"], "BIGINT"),
            "to_hex_": (of_bytes, ["BLOB"], "VARCHAR"),
            "md5_": (digest, ["BLOB"], "BLOB"),
        },
        {**BACK, "to_hex(": "to_hex_(", "md5(": "md5_(", "to_utf8(": "encode("},
    ),
    "oracle": Dialect(
        {
            "TO_NUMBER_": (hexadecimal, ["VARCHAR", "VARCHAR"], "BIGINT"),
            "STANDARD_HASH": (standard_hash, ["VARCHAR", "VARCHAR"], "BLOB"),
            "RAWTOHEX": (of_bytes, ["BLOB"], "VARCHAR"),
        },
        {"TO_NUMBER(": "TO_NUMBER_(", "TO_CHAR(k)": "CAST(k AS VARCHAR)"},
    ),
}


def rows_of(part: str, conn_type: str, database: duckdb.DuckDBPyConnection) -> list[str | None]:
    """The keys that the warehouse's own condition leaves in."""
    condition = Partition.parse(part).condition("k", conn_type)
    query = f"SELECT k FROM due WHERE {condition}"
    if conn_type in DIALECTS:
        for theirs, here in DIALECTS[conn_type].words.items():
            query = query.replace(theirs, here)
    else:
        query = sqlglot.transpile(query, read=conn_type, write="duckdb")[0]
    return [key for (key,) in database.execute(query).fetchall()]


@pytest.mark.parametrize("conn_type", ["bigquery", *DIALECTS])
def test_a_warehouses_own_condition_takes_the_same_part(conn_type: str) -> None:
    with duckdb.connect() as database:
        for name, (function, types, returned) in DIALECTS.get(conn_type, Dialect()).functions.items():
            database.create_function(name, function, types, returned)
        database.execute("CREATE TABLE due AS SELECT unnest($1) AS k", [[*KEYS, None]])
        for part in partitions(8):
            belong = [key for key in KEYS if Partition.parse(part).has(canonical_key(key))]
            assert rows_of(part, conn_type, database) == [*belong, *[None][: part == "1/8"]]


def test_what_stands_for_a_function_is_as_its_reference_says() -> None:
    assert conv("100", 2, 10) == "4"
    assert (strtol("0xf", 16), strtol("abcd1234", 16)) == (15, 2882343476)
    # https://docs.snowflake.com/en/sql-reference/functions/md5_number_upper64, as the stand-in of Snowflake has it
    upper = int.from_bytes(md5(b"Snowflake").digest()[:8])
    assert (upper, upper >> 36) == (17145559544104499780, int(md5(b"Snowflake").hexdigest()[:7], 16))


@pytest.mark.parametrize("conn_type", ["mssql", "snowflake", *DIALECTS])
def test_a_condition_is_of_the_warehouses_sql(conn_type: str) -> None:
    condition = Partition(3, 8).condition("contact_id", conn_type)
    sqlglot.parse_one(f"SELECT 1 FROM t WHERE {condition}", read="tsql" if conn_type == "mssql" else conn_type)


def test_sql_servers_condition_does_without_a_function_and_a_percent_sign() -> None:
    """It has no MOD, and its driver reads a percent sign as a parameter."""
    condition = str(Partition(3, 8).condition("k", "mssql"))
    assert "MOD(" not in condition
    assert "%" not in condition
    hashed, _, rest = condition.removeprefix("(COALESCE(").partition(" - ")
    assert rest == f"{hashed} / 8 * 8, 0) = 2)"
