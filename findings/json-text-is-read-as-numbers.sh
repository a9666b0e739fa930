#!/usr/bin/env bash
# JSON Lines with ids, ZIP codes and instants as JSON strings. pandas 3.1.1 reads the strings of digits as numbers, without
# their zeros, and 1e5 as a float. pyarrow 26.0.1 keeps them, but makes an instant with its offset a time without a zone, in
# UTC. polars 2.1.0 keeps all text. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pandas==3.1.1" "pyarrow==26.0.1" "polars==2.1.0"
"$folder/venv/bin/python" - <<'PYTHON'
import json
from datetime import datetime
from io import BytesIO

import pandas
import polars
from pyarrow import json as arrow

ROW = {"id": "00000000000000000000000000000005", "zip": "02101", "sku": "1e5", "opened_at": "2026-11-29T10:00:00-05:00"}
FILE = f"{json.dumps(ROW)}\n".encode()
seen = {
    "pandas": pandas.read_json(BytesIO(FILE), lines=True).astype(object).iloc[0].to_dict(),
    "pyarrow": arrow.read_json(BytesIO(FILE)).to_pylist()[0],
    "polars": polars.read_ndjson(FILE).row(0, named=True),
}
for name, row in seen.items():
    print(f"{name}: {row}")
assert [seen["pandas"][column] for column in ("id", "zip", "sku")] == [5, 2101, 100000.0]
assert seen["pyarrow"] == ROW | {"opened_at": datetime(2026, 11, 29, 15)} and seen["polars"] == ROW
PYTHON
