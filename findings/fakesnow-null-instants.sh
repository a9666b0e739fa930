#!/usr/bin/env bash
# fakesnow 0.12.1 as a server, asked by Snowflake's own connector 4.8.1: a NULL of a timestamp type arrives as 1970-01-01.
# A NULL of a date or number arrives as None. A test that runs on it sees an instant where Snowflake has none.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "fakesnow[server]==0.12.1" "snowflake-connector-python==4.8.1"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/venv/bin/python" -m fakesnow -s -p "$port" >"$folder/log" 2>&1 &
server=$!
"$folder/venv/bin/python" - "$port" <<'PYTHON'
import socket, sys, time

import snowflake.connector

port = int(sys.argv[1])
for _ in range(600):
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)) == 0:
            break
    time.sleep(0.1)
connection = snowflake.connector.connect(
    user="u", password="p", account="fakesnow", host="127.0.0.1", port=port, protocol="http", database="d", schema="s"
)
cursor = connection.cursor()
seen = {}
for kind in ("TIMESTAMP_TZ", "TIMESTAMP_NTZ", "DATE", "NUMBER(38, 2)"):
    cursor.execute(f"SELECT CAST(NULL AS {kind})")
    seen[kind] = cursor.fetchone()[0]
    print(f"NULL of {kind}: {seen[kind]!r}")
assert str(seen["TIMESTAMP_TZ"]).startswith("1970-01-01") and str(seen["TIMESTAMP_NTZ"]).startswith("1970-01-01")
assert seen["DATE"] is None and seen["NUMBER(38, 2)"] is None
PYTHON
