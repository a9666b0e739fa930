#!/usr/bin/env bash
# clevercsv 0.8.5: in a file of one column, of numbers in E.164 or of addresses of e-mail, the plus sign or the at sign is
# found to be the delimiter. Each number then stands in a second column that has no name, without its plus sign. With a second
# column, the file is read as it was written.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "clevercsv==0.8.5"
"$folder/venv/bin/python" - "$folder/file.csv" <<'PYTHON'
import sys
from pathlib import Path

import clevercsv

file = Path(sys.argv[1])
seen = []
for text in (
    "phone\n+15045550123\n+15045550124\n",
    "email\nada@example.com\nbob@example.com\n",
    "id,phone\n1,+15045550123\n2,+15045550124\n",
):
    file.write_text(text)
    seen.append(clevercsv.read_table(str(file))[:2])
    print(f"{text.split()[:2]}: {seen[-1]}")
assert seen == [
    [["phone"], ["", "15045550123"]],
    [["email"], ["ada", "example.com"]],
    [["id", "phone"], ["1", "+15045550123"]],
]
PYTHON
