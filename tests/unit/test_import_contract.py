"""The import contract in ``setup.cfg`` speaks of the whole package; ``lint-imports`` checks that it is kept."""

import ast
from configparser import ConfigParser
from pathlib import Path

import airflow_provider_dropcowboy

PACKAGE = Path(airflow_provider_dropcowboy.__file__).parent

AIRFLOW_SURFACE = {"provider_info", "plugins", "operators", "sensors", "notifications", "triggers", "hooks"}
"""What may import Airflow; beside it one file of the command line."""


def contract(name: str) -> dict[str, str]:
    """One contract of ``setup.cfg``."""
    parser = ConfigParser()
    parser.read(Path(__file__).parents[2] / "setup.cfg")
    return dict(parser[f"importlinter:contract:{name}"])


def modules_of_the_package() -> set[str]:
    """Its folders and files, by the name under which they are imported."""
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def modules_named(setting: str) -> set[str]:
    """The package's modules in a setting that lists one a line."""
    prefix = f"{PACKAGE.name}."
    return {line.removeprefix(prefix) for line in setting.split() if line.startswith(prefix)}


def imports_airflow(path: Path) -> bool:
    """Whether a file imports Airflow, at whatever depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] == "airflow" for name in names):
                return True
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] == "airflow":
                return True
    return False


def test_no_folder_or_file_stands_outside_the_layers() -> None:
    layers = set(contract("layers")["layers"].translate(str.maketrans("|:()", "    ")).split())
    outside = set(contract("layers")["exhaustive_ignores"].split())
    assert modules_of_the_package() <= layers | outside
    assert outside == {"sandbox"}


def test_all_but_the_airflow_surface_and_the_command_line_is_held_free_of_airflow() -> None:
    held_free = modules_named(contract("core-without-airflow")["source_modules"])
    assert held_free == modules_of_the_package() - AIRFLOW_SURFACE - {"cli"}


def test_the_sandbox_is_hidden_from_all_that_sends() -> None:
    kept_from_it = modules_named(contract("sandbox-is-unknown")["source_modules"])
    assert kept_from_it >= {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"cli", "sandbox", "plugins"}


def test_one_file_of_the_command_line_imports_airflow_at_most() -> None:
    assert len([path for path in (PACKAGE / "cli").rglob("*.py") if imports_airflow(path)]) <= 1
