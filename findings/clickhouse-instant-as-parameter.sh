#!/usr/bin/env bash
# clickhouse-connect 1.12.0 and ClickHouse 26.9 (chdb-core 26.9.0): an aware datetime as a %s parameter becomes text in the
# server's zone, here UTC. ClickHouse reads that text in the zone of the column that it is compared with. So in a column
# DateTime('America/New_York') it is not its own instant, but one five hours later, and microseconds are dropped. A
# parameter {at:DateTime} is right. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "clickhouse-connect==1.12.0" "chdb==4.4.0" "chdb-core==26.9.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import chdb
from clickhouse_connect.driver.binding import bind_query

AT = datetime(2026, 11, 29, 10, tzinfo=ZoneInfo("America/New_York"))
seen = []
for zone in ("UTC", "America/New_York"):
    column = f"toDateTime({int(AT.timestamp())}, '{zone}')"
    for mark, operator, instant in (
        ("%(at)s", "=", AT), ("{at:DateTime}", "=", AT), ("%(at)s", "<=", AT - timedelta(hours=1)),
    ):
        query, bound = bind_query(f"SELECT {column} {operator} {mark}", {"at": instant}, UTC)
        params = {name.removeprefix("param_"): value for name, value in bound.items()}
        seen.append(str(chdb.query(query, params=params)).strip())
        print(f"{query} {params or ''} -> {seen[-1]}")
assert seen == ["1", "1", "0", "0", "1", "1"]
query, _ = bind_query("SELECT %(at)s", {"at": AT + timedelta(microseconds=5)}, UTC)
assert query == "SELECT '2026-11-29 15:00:00'"
PYTHON
