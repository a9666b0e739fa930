#!/usr/bin/env bash
# ibis-framework 12.0.0 on DuckDB 2.0.1, on the night when clocks go back: an aware datetime is written as wall clock and zone
# name, without its fold. So 05:30 UTC, the first 01:30 in New York, becomes 06:30 UTC, and `called >= since` leaves out the row at
# that instant. For PostgreSQL and BigQuery ibis writes the offset. DuckDB's own client is right. The trino client 0.340.0
# writes one literal for both instants as well. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "ibis-framework[duckdb]==12.0.0" "duckdb==2.0.1" "trino==0.340.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import duckdb
import ibis
from trino.dbapi import Cursor

ZONE = ZoneInfo("America/New_York")
first, second = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC).astimezone(ZONE) for hour in (5, 6))
database = ibis.duckdb.connect()
table = database.create_table("sends", ibis.memtable({"called": [first.astimezone(UTC), second.astimezone(UTC)]}))
seen = {}
for since in (first, second):
    by_ibis = database.execute(table.filter(table.called >= since).count())
    epoch = database.execute(ibis.literal(since).epoch_seconds())
    by_duckdb = database.con.execute("SELECT count(*) FROM sends WHERE called >= ?", [since]).fetchall()[0][0]
    seen[since.astimezone(UTC).hour] = (int(by_ibis), by_duckdb, int(epoch - since.timestamp()))
    print(f"rows since {since.isoformat()}: ibis {by_ibis}, DuckDB {by_duckdb}; ibis is {epoch - since.timestamp():.0f} s off")
literals = {d: {str(ibis.to_sql(ibis.literal(at).name("x"), dialect=d)) for at in (first, second)} for d in ("duckdb", "postgres")}
literals["trino"] = {Cursor._format_prepared_param(None, at) for at in (first, second)}
for name, texts in literals.items():
    print(f"{name}: {' | '.join(' '.join(text.split()) for text in texts)}")
assert seen == {5: (1, 2, 3600), 6: (1, 1, 0)}
assert {name: len(texts) for name, texts in literals.items()} == {"duckdb": 1, "postgres": 2, "trino": 1}
PYTHON
