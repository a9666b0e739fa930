#!/usr/bin/env bash
# pandera 0.35.0 on pandas 3.1.1: a column that must be a boolean and not null (`bool`, nullable=False, the default), with
# coerce=True, takes a missing consent for True, and "N" too, and reports nothing: the cast comes before the check for nulls,
# which then finds none. An integer column refuses the same null. On polars 2.1.0, pandera refuses it.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pandera[pandas,polars]==0.35.0" "pandas==3.1.1" "polars==2.1.0"
"$folder/venv/bin/python" - <<'PYTHON'
from io import StringIO

import pandas
import pandera.pandas
import pandera.polars
import polars

seen = {}
for kind, yes, no in ((bool, "True", "False"), (bool, "Y", "N"), (int, "1", "0")):
    file = f"id,consent\n1,{yes}\n2,{no}\n3,\n"
    for reader, check in ((pandas, pandera.pandas), (polars, pandera.polars)):
        schema = check.DataFrameSchema({"consent": check.Column(kind, coerce=True, nullable=False)})
        try:
            result = list(schema.validate(reader.read_csv(StringIO(file)))["consent"])
        except (pandera.errors.SchemaError, pandera.errors.SchemaErrors):
            result = "refused"
        seen[reader.__name__, yes] = result
        print(f"{yes}, {no} and nothing as {kind.__name__}, {reader.__name__}: {result}")
assert seen["pandas", "True"] == [True, False, True] and seen["pandas", "Y"] == [True, True, True]
assert {seen["pandas", "1"], *(result for (reader, _), result in seen.items() if reader == "polars")} == {"refused"}
PYTHON
