#!/usr/bin/env bash
# pendulum 3.3.0: a local time that the clock skips, or shows twice, is another instant by each way to make it.
# datetime() and parse() move 02:30 of the spring night to 03:30. instance() moves it to 01:30, before the time that was
# asked for; the standard library and pytz say 03:30. Of the autumn night's two 01:30, they take the later, instance() the
# earlier.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pendulum==3.3.0" "pytz==2026.6" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pendulum
import pytz

ZONE = "America/New_York"
seen = {}
for local in (datetime(2026, 3, 8, 2, 30), datetime(2026, 11, 1, 1, 30)):
    seen[local.month] = {
        "pendulum.datetime": pendulum.datetime(*local.timetuple()[:5], tz=ZONE),
        "pendulum.parse": pendulum.parse(local.isoformat(), tz=ZONE),
        "pendulum.instance": pendulum.instance(local, tz=ZONE),
        "zoneinfo": local.replace(tzinfo=ZoneInfo(ZONE)),
        "pytz": pytz.timezone(ZONE).localize(local),
    }
    for how, made in seen[local.month].items():
        seen[local.month][how] = made.astimezone(UTC).strftime("%H:%M")
        print(f"{local} in {ZONE} by {how}: {seen[local.month][how]} UTC")
assert list(seen[3].values()) == ["07:30", "07:30", "06:30", "07:30", "07:30"]
assert list(seen[11].values()) == ["06:30", "06:30", "05:30", "05:30", "06:30"]
PYTHON
