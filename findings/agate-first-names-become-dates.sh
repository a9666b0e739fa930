#!/usr/bin/env bash
# agate 1.14.2, which csvkit reads with: a column of first names that are also months is a column of dates in the year 1. April,
# June and May become 0001-04-01, 0001-06-01 and 0001-05-01, and are written back as such. One other name in the column keeps
# all of them text. pandas 3.1.1 and polars 2.1.0 keep the names.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "agate==1.14.2" "pandas==3.1.1" "polars==2.1.0"
"$folder/venv/bin/python" - <<'PYTHON'
from io import StringIO

import agate
import pandas
import polars

seen = []
for names in (("April", "June", "May"), ("April", "June", "Summer")):
    file = "first_name\n" + "\n".join(names) + "\n"
    table, written = agate.Table.from_csv(StringIO(file)), StringIO()
    table.to_csv(written)
    seen.append((type(table.column_types[0]).__name__, written.getvalue().split()[1:]))
    others = [list(pandas.read_csv(StringIO(file))["first_name"]), list(polars.read_csv(file.encode())["first_name"])]
    assert others == [list(names), list(names)]
    print(f"{', '.join(names)}: agate has {seen[-1][0]}, written {', '.join(seen[-1][1])}; pandas and polars the names")
assert seen == [("Date", ["0001-04-01", "0001-06-01", "0001-05-01"]), ("Text", ["April", "June", "Summer"])]
PYTHON
