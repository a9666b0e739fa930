#!/usr/bin/env bash
# polars 2.1.0: in one query, on a column with a time zone, the hour is local and the date is UTC's. So 22:00 in New York is hour
# 22 of the next day, and a rule for Sundays applies to it on Saturday. CAST(called AS TIME) is UTC's as well. The cast of an
# expression does the same (pola-rs/polars issue 22864), while dt.date() is local, as are CAST in DuckDB 2.0.1 and pyarrow 26.0.1.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" "duckdb==2.0.1" "pyarrow==26.0.1" "pytz==2026.6" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import duckdb
import polars
import pyarrow

ZONE = "America/New_York"
AT = datetime(2026, 11, 28, 22, tzinfo=ZoneInfo(ZONE))  # a Saturday
frame = polars.DataFrame({"called": [AT]})
query = "SELECT CAST(called AS DATE) AS day, EXTRACT(HOUR FROM called) AS hour"
called = polars.col("called").dt
database = duckdb.connect()
database.execute(f"SET TimeZone = '{ZONE}'")
database.execute("CREATE TABLE t AS SELECT ?::TIMESTAMPTZ AS called", [AT])
array = pyarrow.array([AT])
seen = {
    "polars SQL": polars.SQLContext(t=frame).execute(f"{query}, CAST(called AS TIME) AS time FROM t", eager=True).row(0),
    "polars dt": frame.select(called.date(), hour=called.hour(), time=called.time()).row(0),
    "DuckDB": database.execute(f"{query} FROM t").fetchone(),
    "pyarrow": (array.cast(pyarrow.date32())[0].as_py(), array.cast(pyarrow.time64("us"))[0].as_py()),
}
for who, values in seen.items():
    print(f"{AT} by {who}: {', '.join(map(str, values))}")
assert seen["polars SQL"] == (date(2026, 11, 29), 22, time(3)) and seen["polars dt"] == (AT.date(), 22, time(22))
assert seen["DuckDB"] == (AT.date(), 22) and seen["pyarrow"] == (AT.date(), time(22))
PYTHON
