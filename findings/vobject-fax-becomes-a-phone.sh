#!/usr/bin/env bash
# vobject 0.9.9: a vCard 2.1, as many phones export it, names the kind of a number without TYPE=. vobject reads it without an
# error, but `params` of the number is empty, and serialize() writes the number without its kind: a fax machine's number is
# then a number like any other. The same card as version 3.0 keeps it.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vobject==0.9.9"
"$folder/venv/bin/python" - <<'PYTHON'
import vobject

seen = []
for version, number in (("2.1", "TEL;WORK;FAX:504-555-0124"), ("3.0", "TEL;TYPE=WORK,FAX:504-555-0124")):
    card = vobject.readOne(f"BEGIN:VCARD\r\nVERSION:{version}\r\nN:Example;Ada\r\nFN:Ada\r\n{number}\r\nEND:VCARD\r\n")
    (written,) = (line for line in card.serialize().splitlines() if line.startswith("TEL"))
    seen.append((card.tel.params, written))
    print(f"{version}: {number} -> params {card.tel.params}, written {written}")
assert seen == [({}, "TEL:504-555-0124"), ({"TYPE": ["WORK", "FAX"]}, "TEL;TYPE=WORK,FAX:504-555-0124")]
PYTHON
