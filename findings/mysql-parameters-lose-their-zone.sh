#!/usr/bin/env bash
# pymysql 1.2.4 and mysql-connector-python 26.10.0: an aware datetime as a parameter is written as its wall clock, without
# its zone or a conversion, and without an error. So one instant, given in two zones, selects different rows, hours apart.
# A NaN is NULL for the one, and an error for the other. No server is asked: this is what the drivers would send.
# Ends with 0 while that holds, and prints what it saw.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pymysql==1.2.4" "mysql-connector-python==26.10.0" "tzdata==2026.6"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pymysql
from mysql.connector.conversion import MySQLConverter
from pymysql.converters import escape_item

connector = MySQLConverter("utf8mb4", use_unicode=True)
WRITERS = {
    "pymysql": lambda value: escape_item(value, "utf8mb4"),
    "mysql.connector": lambda value: bytes(connector.quote(connector.escape(connector.to_mysql(value)))).decode(),
}
at = datetime(2026, 11, 29, 15, tzinfo=UTC)
seen = {}
for driver, write in WRITERS.items():
    seen[driver] = [write(at), write(at.astimezone(ZoneInfo("America/New_York")))]
    try:
        seen[driver].append(write(float("nan")))
    except pymysql.ProgrammingError as error:
        seen[driver].append(type(error).__name__)
    print(f"{driver}: {at} in UTC and in New York, and NaN: {seen[driver]}")
both = ["'2026-11-29 15:00:00'", "'2026-11-29 10:00:00'"]
assert seen == {"pymysql": [*both, "ProgrammingError"], "mysql.connector": [*both, "NULL"]}
PYTHON
