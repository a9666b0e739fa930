"""The example DAGs of the folder ``dags``."""

import importlib
from pathlib import Path
from typing import Final

from airflow.sdk import DAG

import dags

FOLDER: Final = Path(dags.__path__[0])


def example_dags() -> dict[str, DAG]:
    """All of them by id, in order."""
    modules = [importlib.import_module(f"dags.{path.stem}") for path in FOLDER.glob("*.py")]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, DAG)]
    return {dag.dag_id: dag for dag in sorted(found, key=lambda dag: dag.dag_id)}
