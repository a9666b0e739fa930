"""Cutting one source into parts for several tasks."""

import re
from dataclasses import dataclass
from hashlib import md5
from typing import Final, Self

from airflow_provider_dropcowboy.errors import ConfigurationError

_PARTITION: Final = re.compile(r"\s*([0-9]+)\s*/\s*([0-9]+)\s*")


@dataclass(frozen=True, slots=True)
class Partition:
    """Part ``index`` of ``count`` (1-based) of a source, by contact key.

    Rows are left out after they are read, so each part reads the whole source, unless the query leaves them out itself
    by the same rule: :meth:`condition`.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ConfigurationError(f"partition {self} does not exist: parts are counted from 1/{self.count}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The part written as ``3/8``.

        :raises ConfigurationError: written otherwise, or no such part.
        """
        written = _PARTITION.fullmatch(text)
        if not written:
            raise ConfigurationError(f'partition={text!r} cannot be read. Write part and number of parts, like "3/8".')
        return cls(int(written[1]), int(written[2]))

    def has(self, key: str | None) -> bool:
        """Whether a contact belongs to this part; each belongs to exactly one of a count.

        :param key: canonical contact key; None (a row without a usable key) belongs to part 1: it is counted once.
        """
        if key is None:
            return self.index == 1
        # md5, because every database has it; seven hex digits, because they fit a signed 32-bit integer
        digest = md5(key.encode(), usedforsecurity=False).digest()
        return (int.from_bytes(digest[:4]) >> 4) % self.count == self.index - 1

    def condition(self, column: str, conn_type: str) -> str | None:
        """The rule in the SQL of a warehouse, for a WHERE; None: it has no MD5 (SQLite), or its SQL is not known here.

        It is :meth:`has` for integers, whole decimals, UUIDs and text as :func:`.canonical_key` writes it; in SQL
        Server for integers and ASCII text only. Of other keys, a row may belong to another part than here, but always
        to exactly one.

        :param column: of the contact key, as SQL names it.
        :param conn_type: of the Airflow connection.
        """
        hashed = _HASHES.get(conn_type)
        if hashed is None:
            return None
        text, seven_digits = hashed
        number = seven_digits.format(text.format(column))
        remainder = _REMAINDERS.get(conn_type, "MOD({0}, {1})").format(number, self.count)
        return f"(COALESCE({remainder}, 0) = {self.index - 1})"

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def partitions(count: int) -> list[str]:
    """All parts of a source, as ``partition=`` takes them: ``["1/3", "2/3", "3/3"]``; for ``.expand(partition=…)``.

    :raises ConfigurationError: fewer than one part.
    """
    if count < 1:
        raise ConfigurationError(f"A source cannot be cut into {count} parts; it takes at least 1.")
    return [str(Partition(index, count)) for index in range(1, count + 1)]


# Of each connection type: a cell as text, whole decimals without their zeros; and the first seven hex digits of a
# text's MD5 as a number.
_HASHES: Final = {
    "bigquery": (
        r"REGEXP_REPLACE(CAST({} AS STRING), r'^(-?[0-9]+)\.0+$', r'\1')",
        "CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5({})), 1, 7)) AS INT64)",
    ),
    "clickhouse": (
        r"replaceRegexpOne(toString({}), '^(-?[0-9]+)\\.0+$', '\\1')",
        "intDiv(reinterpretAsUInt32(reverse(substring(MD5({}), 1, 4))), 16)",
    ),
    "databricks": (
        r"REGEXP_REPLACE(CAST({} AS STRING), '^(-?[0-9]+)[.]0+$', '$1')",
        "CAST(CONV(LEFT(MD5({}), 7), 16, 10) AS BIGINT)",
    ),
    "duckdb": (
        r"regexp_replace(CAST({} AS VARCHAR), '^(-?[0-9]+)[.]0+$', '\1')",
        "CAST('0x' || left(md5({}), 7) AS INTEGER)",
    ),
    "mssql": (
        "CAST({} AS VARCHAR(4000))",
        "CAST(CONVERT(VARBINARY(4), '0' + LEFT(CONVERT(VARCHAR(32), HASHBYTES('MD5', {}), 2), 7), 2) AS INT)",
    ),
    "mysql": (
        r"REGEXP_REPLACE(CAST({} AS CHAR), '^(-?[0-9]+)[.]0+$', '\\1')",
        "CAST(CONV(LEFT(MD5({}), 7), 16, 10) AS UNSIGNED)",
    ),
    "oracle": (
        r"REGEXP_REPLACE(TO_CHAR({}), '^(-?[0-9]+)[.]0+$', '\1')",
        "TO_NUMBER(SUBSTR(RAWTOHEX(STANDARD_HASH({}, 'MD5')), 1, 7), 'XXXXXXX')",
    ),
    "postgres": (
        r"regexp_replace(CAST({} AS text), '^(-?[0-9]+)[.]0+$', '\1')",
        "('x' || left(md5({}), 7))::bit(28)::int",
    ),
    "redshift": (
        # its reference has no reference to a group in a replacement
        "CASE WHEN CAST({0} AS VARCHAR) ~ '^-?[0-9]+[.]0+$' THEN SPLIT_PART(CAST({0} AS VARCHAR), '.', 1) "
        "ELSE CAST({0} AS VARCHAR) END",
        "STRTOL(LEFT(MD5({}), 7), 16)",
    ),
    "snowflake": (
        r"REGEXP_REPLACE(TO_VARCHAR({}), '^(-?[0-9]+)[.]0+$', '\\1')",
        "BITSHIFTRIGHT(MD5_NUMBER_UPPER64({}), 36)",
    ),
    "trino": (
        "REGEXP_REPLACE(CAST({} AS VARCHAR), '^(-?[0-9]+)[.]0+$', '$1')",
        "from_base(substr(to_hex(md5(to_utf8({}))), 1, 7), 16)",
    ),
}
_REMAINDERS: Final = {
    # no function, and pymssql reads % as a parameter: https://learn.microsoft.com/sql/t-sql/language-elements/modulo-transact-sql
    "mssql": "{0} - {0} / {1} * {1}",
}
_HASHES["gcpbigquery"] = _HASHES["bigquery"]
