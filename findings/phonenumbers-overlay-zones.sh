#!/usr/bin/env bash
# phonenumbers 9.0.43: the time zone of some area codes is not that of the codes they overlay or of their own region.
# +1 689 overlays 407 (Orlando), but is an hour behind it. +1 474 overlays 306 (Saskatchewan, no summer time), but follows
# Winnipeg. +1 867 serves Yukon, the Northwest Territories and Nunavut, but gets Fort Nelson alone, which is in British
# Columbia. Whoever calls until 21:00 by that zone calls Orlando at 22:00.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "phonenumbers==9.0.43"
"$folder/venv/bin/python" - <<'PYTHON'
import phonenumbers
from phonenumbers.geocoder import description_for_number
from phonenumbers.timezone import time_zones_for_number

seen = {}
for code in ("407", "689", "306", "474", "867"):
    number = phonenumbers.parse(f"+1{code}2345678")
    assert phonenumbers.is_valid_number(number)
    seen[code] = time_zones_for_number(number)
    print(f"+1 {code} ({description_for_number(number, 'en')}): {', '.join(seen[code])}")
assert (seen["407"], seen["689"]) == (("America/New_York",), ("America/Chicago",))
assert (seen["306"], seen["474"]) == (("America/Regina",), ("America/Winnipeg",))
assert seen["867"] == ("America/Fort_Nelson",)
PYTHON
