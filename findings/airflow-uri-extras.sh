#!/usr/bin/env bash
# Airflow 3.3.2 (task SDK 1.3.2): one connection URI is two connections. A task's Connection keeps the extras of the query as
# text. The Connection of the API server, the scheduler and the command line reads each as JSON: an account 1e5 is 100000.0
# there, null is None, and 1.10 is 1.1. Text goes wrong on the way through get_uri() as well. A connection in JSON does not.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "apache-airflow-task-sdk==1.3.2"
AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR "$folder/venv/bin/python" 2>"$folder/log" - <<'PYTHON'
import json

from airflow.models.connection import Connection as Stored
from airflow.sdk import Connection as OfTask

uri = "http://example.com/?account=1e5&pool=null&tag=1.10&zip=02101"
of_task, stored = OfTask.from_uri(uri, conn_id="c").extra_dejson, Stored(conn_id="c", uri=uri).extra_dejson
extra = {"account": "1e5"}
written = Stored(conn_id="c", conn_type="http", host="example.com", extra=json.dumps(extra))
through_uri = Stored(conn_id="c", uri=written.get_uri()).extra_dejson
through_json = Stored.from_json(written.as_json(), conn_id="c").extra_dejson
print(f"{uri}\nin a task: {of_task}\nelsewhere: {stored}")
print(f"{extra} through get_uri(): {through_uri}; through as_json(): {through_json}")
assert of_task == {"account": "1e5", "pool": "null", "tag": "1.10", "zip": "02101"}
assert stored == {"account": 100000.0, "pool": None, "tag": 1.1, "zip": "02101"}
assert through_uri == {"account": 100000.0} and through_json == extra
PYTHON
