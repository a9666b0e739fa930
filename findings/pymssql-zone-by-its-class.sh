#!/usr/bin/env bash
# pymssql 2.4.6: whether the zone of an instant reaches SQL Server depends on the class of its tzinfo. Of one instant with one
# offset, datetime.timezone is sent with the offset and its microseconds. zoneinfo and pendulum, and so a data interval of
# Airflow's, are sent as the wall clock alone, in milliseconds. A time of day always loses its offset. No error, no warning.
# No server is asked: this is what the driver would send. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pymssql==2.4.6" "pendulum==3.3.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pendulum
from pymssql import _mssql

FIXED = timezone(timedelta(hours=-5))
ZONES = {"timezone": FIXED, "zoneinfo": ZoneInfo("America/New_York"), "pendulum": pendulum.timezone("America/New_York")}
instants = [datetime(2026, 11, 29, 10, 0, 0, 5, tzinfo=zone) for zone in ZONES.values()]
assert len(set(instants)) == 1
seen = [_mssql.substitute_params("%s", (value,)).decode() for value in (*instants, time(9, tzinfo=FIXED))]
for name, sent in zip((*ZONES, "a time of day"), seen, strict=True):
    print(f"{name}: {sent}")
assert seen == ["'2026-11-29 10:00:00.000005-05:00'", *["'2026-11-29 10:00:00.000'"] * 2, "'09:00:00.000000'"]
PYTHON
