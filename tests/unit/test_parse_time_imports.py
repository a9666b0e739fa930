"""What Airflow imports to parse a DAG that uses this package: every DAG processor, worker and triggerer pays for it."""

import json
import subprocess
import sys
from pathlib import Path

import airflow_provider_dropcowboy

PACKAGE = Path(airflow_provider_dropcowboy.__file__).parent

ENVIRONMENT = Path("ledger/migrations/env.py")

HEAVY = ("aiohttp", "alembic", "httptools", "phonenumbers", "pyarrow", "requests")

WITHOUT_US = """
import airflow.models
import airflow.sdk
import airflow.dag_processing.processor
import airflow.triggers.base
from airflow.sdk import BaseHook, BaseNotifier, BaseOperator, BaseSensorOperator
import json, sys
without_us = set(sys.modules)
"""
"""What is loaded in a DAG processor that parses a DAG of somebody else's."""


def modules_airflow_imports() -> list[str]:
    """The files that Airflow's discovery, a DAG or a resumed trigger names."""
    folders = ("operators", "hooks", "sensors", "triggers", "notifications")
    files = [path for folder in folders for path in (PACKAGE / folder).rglob("*.py")]
    return [dotted(path) for path in [*files, PACKAGE / "provider_info.py"]]


def modules_of_the_package() -> list[str]:
    """Every file of it but the migrations' environment, which only Alembic can load."""
    return [dotted(path) for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE) != ENVIRONMENT]


def dotted(path: Path) -> str:
    """The name under which a file is imported."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def import_all(modules: list[str]) -> str:
    """Code that imports them, one by one; the name of a migration is no word of Python's."""
    return "\n".join(["import importlib", *(f"importlib.import_module({module!r})" for module in sorted(modules))])


def run_python(code: str) -> str:
    """What the code prints, in an interpreter in which every warning is an error."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_parsing_a_dag_loads_nothing_heavy() -> None:
    imports = import_all(modules_airflow_imports())
    printed = run_python(f"{WITHOUT_US}\n{imports}\nprint(json.dumps(sorted(set(sys.modules) - without_us)))")
    ours = set(json.loads(printed.splitlines()[-1]))
    assert ours & set(HEAVY) == set()
    assert {name for name in ours if name.startswith(f"{PACKAGE.name}.campaign")} == set()


def test_every_module_imports_without_a_warning() -> None:
    run_python(import_all(modules_of_the_package()))
