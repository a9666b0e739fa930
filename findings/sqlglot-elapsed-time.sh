#!/usr/bin/env bash
# sqlglot 30.30.0: an elapsed time changes its meaning, although unsupported functions are asked to be errors. Trino's
# date_diff counts whole units (its manual); in DuckDB 2.0.1, the translation counts crossed borders. Somebody born on
# 2008-12-31 is 18 on 2026-01-01, and two minutes are an hour. SQL Server's months become MySQL's days.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlglot==30.30.0" "duckdb==2.0.1"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import sqlglot


def translate(sql, source, target):
    (translated,) = sqlglot.transpile(sql, read=source, write=target, unsupported_level=sqlglot.ErrorLevel.RAISE)
    print(f"{source}: {sql}\n{target}: {translated}")
    return translated


years = translate("SELECT date_diff('year', DATE '2008-12-31', DATE '2026-01-01')", "trino", "duckdb")
hours = translate("SELECT date_diff('hour', TIMESTAMP '2026-11-29 10:59', TIMESTAMP '2026-11-29 11:01')", "trino", "duckdb")
seen = [duckdb.sql(query).fetchall()[0][0] for query in (years, hours)]
print("years and hours in DuckDB:", seen)
months = translate("SELECT DATEDIFF(month, a, b) FROM t", "tsql", "mysql")
assert seen == [18, 1] and "MONTH" not in months.upper() and "DATEDIFF(" in months
PYTHON
