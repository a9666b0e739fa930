#!/usr/bin/env bash
# pendulum 3.3.0: a duration of months or years times a float is nothing, without an error, although times the same integer
# it is right. A sum of two months is 60 days, which a date then adds as days.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pendulum==3.3.0"
"$folder/venv/bin/python" - <<'PYTHON'
import pendulum

start, month = pendulum.datetime(2026, 1, 1), pendulum.duration(months=1)
seen = {
    "month * 2": start + month * 2,
    "month * 2.0": start + month * 2.0,
    "year / 2": start + pendulum.duration(years=1) / 2,
    "month + month": start + (month + month),
    "30 days * 2.0": start + pendulum.duration(days=30) * 2.0,
}
for what, end in seen.items():
    print(f"{start.date()} + {what}: {end.date()}")
assert [str(end.date()) for end in seen.values()] == ["2026-03-01", *["2026-01-01"] * 2, *["2026-03-02"] * 2]
PYTHON
