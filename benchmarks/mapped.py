"""What the tutorials say: ``HttpOperator``, mapped to a task a contact, in a real Airflow: LocalExecutor, PostgreSQL.

``python -m benchmarks.mapped --rows 40 --url http://127.0.0.1:8000/v1`` prints its rate as JSON.
"""

import argparse
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from benchmarks.peers import body
from tests.in_airflow.processes import AirflowProcesses
from tests.postgres_server import PostgresServer

PARALLELISM: Final = 16

DAG: Final = """
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

with DAG("mapped", schedule=None):
    HttpOperator.partial(
        task_id="send", http_conn_id="vendor", endpoint="v1/rvm", headers={"Content-Type": "application/json"}
    ).expand(data=%r)
"""


def main() -> None:
    """Run once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--url", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        database = make_url(server.url(server.create_database())).set(drivername="postgresql+psycopg2")
        environment = {
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(PARALLELISM),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_VENDOR": options.url.removesuffix("/v1"),
        }
        airflow = AirflowProcesses(
            Path(folder) / "home", database.render_as_string(hide_password=False), environment=environment
        )
        try:
            airflow.add_dag("mapped", DAG % [body(row).decode() for row in range(options.rows)])
            run_id = airflow.trigger("mapped")
            state = airflow.wait_for_run("mapped", run_id)
            if state != "success":
                raise SystemExit(f"the mapped run ended as {state}")
            tasks = [airflow.task("mapped", run_id, task_id="send", map_index=row) for row in range(options.rows)]
        finally:
            airflow.stop()
    begun = min(datetime.fromisoformat(task["start_date"]) for task in tasks)
    ended = max(datetime.fromisoformat(task["end_date"]) for task in tasks)
    seconds = (ended - begun).total_seconds()
    print(json.dumps({"rate_per_s": options.rows / seconds, "seconds": seconds}))


if __name__ == "__main__":
    main()
