#!/usr/bin/env bash
# DuckDB 2.0.1: a CSV column whose ids look like hexadecimal or binary literals is read as numbers, so that 0x0A1F and 0xA1F
# are one key. Ids with leading zeros, or a plus sign, keep their text: 007, +15045550123.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "duckdb==2.0.1"
"$folder/venv/bin/python" - "$folder/ids.csv" <<'PYTHON'
import sys
from pathlib import Path

import duckdb

file = Path(sys.argv[1])
seen = []
for ids in (("0x0A1F", "0xA1F"), ("0b0011", "0b11"), ("007", "008"), ("+15045550123", "+15045550124")):
    file.write_text("id\n" + "\n".join(ids) + "\n")
    seen.append([row[0] for row in duckdb.sql(f"SELECT id FROM read_csv('{file}')").fetchall()])
    print(f"{ids}: {seen[-1]}")
assert seen == [[2591, 2591], [3, 3], ["007", "008"], ["+15045550123", "+15045550124"]]
PYTHON
