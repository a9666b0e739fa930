#!/usr/bin/env bash
# pendulum 3.3.0, on the night when clocks go back: of two instants 45 minutes apart, the later one is "less", diff(), which
# promises an absolute difference, is -45 minutes, and in words it is -15 minutes. An hour apart, the two are equal, while
# their difference is an hour.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pendulum==3.3.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
import pendulum

first, second, same_clock = (
    pendulum.datetime(2026, 11, 1, hour, minute, tz="UTC").in_timezone("America/New_York")
    for hour, minute in ((5, 45), (6, 30), (6, 45))
)
print(f"{first} and {second}")
print("first < second:", first < second)
print("diff(), absolute by default, in minutes:", first.diff(second).in_minutes())
print("in words:", pendulum.interval(first, second).in_words())
print(f"{first} and {same_clock}")
print("equal:", first == same_clock, "- one key of a set:", len({first, same_clock}) == 1)
print("seconds between them:", (same_clock - first).total_seconds())
assert not first < second and first.diff(second).in_minutes() == -45
assert pendulum.interval(first, second).in_words() == "-15 minutes"
assert first == same_clock and len({first, same_clock}) == 1 and (same_clock - first).total_seconds() == 3600
PYTHON
