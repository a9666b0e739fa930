#!/usr/bin/env bash
# Params of Airflow 3.3.2, whose manual says that values are validated with JSON Schema: of the formats that its form has fields
# for, "date" is checked, and "date-time" is not: "tomorrow" is taken for a start. With rfc3339-validator, which Airflow does not
# ask for, the same value is refused, so the check comes and goes with what other packages bring. "time" is checked, but is not
# JSON Schema's: 21:00:00-05:00 is refused, 21:00:00 taken. Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-task-sdk==1.3.2" "jsonschema==4.26.0"
cat >"$folder/check.py" <<'PYTHON'
import sys

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowException

seen = []
for format, value in (
    ("date", "tomorrow"), ("date-time", "tomorrow"), ("date-time", "2026-11-29T21:00:00-05:00"),
    ("time", "21:00:00"), ("time", "21:00:00-05:00"),
):
    try:
        Param(value, type="string", format=format).resolve()
        seen.append("taken")
    except (AirflowException, ValueError):
        seen.append("refused")
    print(f"{sys.argv[1]}: {format} {value}: {seen[-1]}")
assert seen == sys.argv[2:], seen
PYTHON
export AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
"$folder/venv/bin/python" "$folder/check.py" "alone" refused taken taken taken refused 2>"$folder/log"
"$folder/venv/bin/pip" install --quiet "rfc3339-validator==0.1.4"
"$folder/venv/bin/python" "$folder/check.py" "with rfc3339-validator" refused refused taken taken refused 2>"$folder/log"
