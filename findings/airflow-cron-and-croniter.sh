#!/usr/bin/env bash
# Airflow 3.3.2 and croniter 7.0.0, which it reckons with: on the night when clocks go back, a daily job at 01:30 is due twice
# by croniter and once by Airflow, which takes the later 01:30. On the night when 02:30 is skipped, croniter says 03:00, and
# Airflow 03:30. So croniter does not tell when a DAG runs.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "apache-airflow-core==3.3.2" "croniter==7.0.0" "pendulum==3.3.0"
AIRFLOW_HOME=$folder/airflow AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR "$folder/venv/bin/python" 2>"$folder/log" - <<'PYTHON'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pendulum
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from croniter import croniter

ZONE = "America/New_York"
seen = []
for cron, start in (("30 1 * * *", datetime(2026, 10, 31, 22, tzinfo=UTC)), ("30 2 * * *", datetime(2026, 3, 8, tzinfo=UTC))):
    restriction = TimeRestriction(earliest=pendulum.instance(start), latest=None, catchup=True)
    timetable, interval, airflow = CronTriggerTimetable(cron, timezone=ZONE), None, []
    for _ in range(2):
        run = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        interval = run.data_interval
        airflow.append(run.logical_date)
    due = croniter(cron, start.astimezone(ZoneInfo(ZONE)))
    for who, instants in (("Airflow", airflow), ("croniter", [due.get_next(datetime) for _ in range(2)])):
        seen.append([instant.astimezone(UTC).strftime("%m-%d %H:%M") for instant in instants])
        print(f"{cron} in {ZONE} by {who}: {', '.join(seen[-1])} UTC")
assert seen[:2] == [["11-01 06:30", "11-02 06:30"], ["11-01 05:30", "11-01 06:30"]]
assert seen[2:] == [["03-08 07:30", "03-09 06:30"], ["03-08 07:00", "03-09 06:30"]]
PYTHON
