#!/usr/bin/env bash
# sqlglot 30.30.0, to DuckDB 2.0.1: a day of the week keeps its name but not its number. Sunday is 1 for DAYOFWEEK of MySQL,
# BigQuery and Databricks, and 6 for WEEKDAY of MySQL (their manuals). The translations say 0, so that a rule for Sundays
# applies to Mondays, although unsupported functions are asked to be errors. Trino's is translated rightly.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlglot==30.30.0" "duckdb==2.0.1"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import sqlglot

seen = {}
for dialect, sql in (
    ("mysql", "SELECT DAYOFWEEK(DATE '2026-11-29')"),
    ("mysql", "SELECT WEEKDAY(DATE '2026-11-29')"),
    ("bigquery", "SELECT EXTRACT(DAYOFWEEK FROM DATE '2026-11-29')"),
    ("databricks", "SELECT DAYOFWEEK(DATE '2026-11-29')"),
    ("trino", "SELECT DAY_OF_WEEK(DATE '2026-11-29')"),
):
    (translated,) = sqlglot.transpile(sql, read=dialect, write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)
    seen[dialect, sql] = duckdb.sql(translated).fetchall()[0][0]
    print(f"{dialect}, a Sunday: {sql} -> {translated}: {seen[dialect, sql]}")
assert list(seen.values()) == [0, 0, 0, 0, 7]
PYTHON
