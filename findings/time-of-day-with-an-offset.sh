#!/usr/bin/env bash
# An opening time with its offset, 09:00-05:00 (ISO 8601, JSON Schema's "time"): pydantic-extra-types 2.11.1 makes it 09:00 UTC,
# five hours too early, where pydantic's own `time` keeps the offset. Django 5.2.19 drops the offset, although the manual of
# parse_time() says of such text that the result is None (docs.djangoproject.com, Ref, Utils). No error, no warning.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic==2.14.4" "pydantic-extra-types==2.11.1" "pendulum==3.3.0" "django==5.2.19"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import time

from django.utils.dateparse import parse_time
from pydantic import TypeAdapter
from pydantic_extra_types.pendulum_dt import DateTime, Time

OPENS = "09:00:00-05:00"
extra = TypeAdapter(Time)
seen = {
    "pydantic": TypeAdapter(time).validate_python(OPENS).isoformat(),
    "pydantic-extra-types": extra.validate_python(OPENS).isoformat(),
    "pydantic-extra-types, as JSON again": extra.dump_json(extra.validate_python(OPENS)).decode(),
    "the same package's DateTime": TypeAdapter(DateTime).validate_python(f"2026-11-29T{OPENS}").isoformat(),
    "Django's parse_time": parse_time(OPENS).isoformat(),
}
for who, read in seen.items():
    print(f"{OPENS} by {who}: {read}")
assert list(seen.values()) == [OPENS, "09:00:00+00:00", '"09:00:00Z"', f"2026-11-29T{OPENS}", "09:00:00"]
PYTHON
