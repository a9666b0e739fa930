"""The recipe for CI in docs/development.md, step by step, with its own connection and its own test."""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import yaml

from tests.in_airflow.dag_runs import run_as_a_developer_does
from tests.ports import free_ports
from tests.unit.docs.examples import examples

WAIT_S: Final = 60.0

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database")]


class _Dag:
    """A DAG that is known to Airflow, as ``airflow db migrate`` and the DAG processor leave it in a job of CI."""

    def __init__(self, dag: Any) -> None:
        self._dag = dag

    def test(self, **words: Any) -> None:
        run_as_a_developer_does(self._dag, **words)


def test_the_recipe_for_ci_calls_nobody_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = str(free_ports(1)[0])
    page = [each for each in examples() if each.place.startswith("docs/development.md")]
    dag, recipe, test = (
        next(each.text.replace("8765", port) for each in page if mark in each.text)
        for mark in ("if __name__", "steps:", "def test_")
    )
    parts = yaml.safe_load(recipe)
    start, *others = (step["run"] for step in parts["steps"])
    assert others == ["airflow db migrate", "python -m pytest tests"]
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", parts["env"]["AIRFLOW_CONN_DROPCOWBOY_DEFAULT"])
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    words = [str(Path(sys.executable).parent / "dropcowboy"), *shlex.split(start.removesuffix("&"))[1:]]
    with subprocess.Popen(words, cwd=tmp_path) as sandbox:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_sandbox/takes")
            names: dict[str, Any] = {"__name__": "reminder", "requests": requests}
            (file := tmp_path / "reminder.py").write_text(dag)  # Airflow reads the code of a DAG from its file
            exec(compile(dag, file, "exec"), names)  # the page's own
            names["dag"] = _Dag(names["dag"])
            exec(compile(test, "test_reminder.py", "exec"), names)
            names["test_nobody_is_called_twice"]()
            takes = requests.get(f"http://127.0.0.1:{port}/_sandbox/takes", timeout=60).json()
        finally:
            sandbox.terminate()
    assert takes["takes"] == 1


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            requests.get(url, timeout=60)
        except requests.ConnectionError:
            assert time.monotonic() < deadline
        else:
            return
