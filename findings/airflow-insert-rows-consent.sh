#!/usr/bin/env bash
# insert_rows() of Airflow's SqliteHook 4.3.4 (Airflow 3.3.2, common-sql 2.4.0) makes text of each value, also of True. SQLite
# takes 'True' into a BOOLEAN column as it is, and text is neither 1 nor true: nobody has consent, and NOT consent is everybody.
# run() of the same hook writes 1, and DuckDB makes a boolean of the text.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-providers-common-sql==2.4.0" "duckdb==2.0.1" \
  "apache-airflow-providers-sqlite==4.3.4" "apache-airflow-providers-duckdb==0.2.1"
AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR "$folder/venv/bin/python" 2>"$folder/log" - "$folder" <<'PYTHON'
import json, os, sys

from airflow.sdk import BaseHook

ROWS = [("+15045550123", True), ("+15045550124", False)]
seen = {}
for kind in ("sqlite", "duckdb"):
    os.environ["AIRFLOW_CONN_C"] = json.dumps({"conn_type": kind, "host": f"{sys.argv[1]}/{kind}.db"})
    hook = BaseHook.get_hook("c")
    for way in ("insert_rows", "run"):
        hook.run([f"CREATE TABLE by_{way} (phone text, consent boolean)"])
        if way == "insert_rows":
            hook.insert_rows("by_insert_rows", ROWS, target_fields=["phone", "consent"])
        else:
            for row in ROWS:
                hook.run("INSERT INTO by_run VALUES (?, ?)", parameters=row)
        values = [value for (value,) in hook.get_records(f"SELECT consent FROM by_{way} ORDER BY phone")]
        counts = [hook.get_first(f"SELECT count(*) FROM by_{way} WHERE {rule}")[0] for rule in ("consent", "NOT consent")]
        seen[kind, way] = (values, *counts)
        print(f"{kind}, {way}(): consent is {values}; with consent {counts[0]}, without {counts[1]}")
assert seen["sqlite", "insert_rows"] == (["True", "False"], 0, 2) and seen["sqlite", "run"] == ([1, 0], 1, 1)
assert seen["duckdb", "insert_rows"] == seen["duckdb", "run"] == ([True, False], 1, 1)
PYTHON
