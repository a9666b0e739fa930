#!/usr/bin/env bash
# pyarrow 26.0.1: a CSV column of E.164 numbers is read as float64, because its integers may have no plus sign, while its
# floats may. Without the plus sign the same column is int64. From 2^53 on, two numbers with a
# sign become one. polars 2.1.0 keeps the text, and pandas 3.1.1 makes int64 of both.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyarrow==26.0.1" "polars==2.1.0" "pandas==3.1.1"
"$folder/venv/bin/python" - <<'PYTHON'
from io import BytesIO

import pandas
import polars
from pyarrow import csv

seen = []
for rows in (b"+15045550123\n+15045550124\n", b"15045550123\n15045550124\n", b"+9007199254740992\n+9007199254740993\n"):
    file = b"phone\n" + rows
    table = csv.read_csv(BytesIO(file))
    seen.append((str(table.schema.field("phone").type), len(set(table["phone"].to_pylist()))))
    print(f"{rows.split()[0].decode()} and the next: pyarrow {seen[-1][0]}, {seen[-1][1]} distinct;", end=" ")
    print(f"polars {polars.read_csv(file)['phone'].dtype}; pandas {pandas.read_csv(BytesIO(file))['phone'].dtype}")
assert seen == [("double", 2), ("int64", 2), ("double", 1)]
PYTHON
