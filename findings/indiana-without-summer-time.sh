#!/usr/bin/env bash
# pyzipcode 3.0.1: its flag `dst` is 1 if summer time is observed in this ZIP code (its README), and 0 for 756 ZIP codes of
# Indiana, which has observed it since 2006 (tzdata). From March to November a call until 21:00 there ends at 22:00. zipcodes 3.0.0
# knows Indiana, but gives one ZIP code the zone Napakiak, which is its town in Alaska, and no zone of tzdata.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyzipcode==3.0.1" "zipcodes==3.0.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import zipcodes
from pyzipcode import ZipCodeDatabase

JULY = datetime(2026, 7, 15, 20)
database, zones = ZipCodeDatabase(), available_timezones()
wrong, unknown = [], []
for place in zipcodes.list_all():
    code, zone = place["zip_code"], place["timezone"]
    if zone and zone not in zones:
        unknown.append((code, zone))
    elif place["active"] and place["state"] == "IN" and (found := database.get(code)):
        by_pyzipcode = timedelta(hours=found.timezone + found.dst)
        if JULY.replace(tzinfo=ZoneInfo(zone)).utcoffset() != by_pyzipcode:
            wrong.append((code, place["city"], found.timezone, found.dst, zone))
print(f"{len(wrong)} ZIP codes of Indiana are another hour in July by pyzipcode, such as {wrong[0]}")
print(f"zones of zipcodes that tzdata does not have: {unknown}")
assert len(wrong) == 756 and ("46601", "South Bend", -5, 0, "America/Indiana/Indianapolis") in wrong
assert unknown == [("99634", "Napakiak")]
PYTHON
