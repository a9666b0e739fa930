"""The wheel and the source archive hold what a user needs, and pip and Airflow find it there."""

import subprocess
import sys
from email.message import Message
from email.parser import HeaderParser
from importlib.metadata import PathDistribution
from pathlib import Path
from zipfile import Path as WithinZip
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_dropcowboy"
SCRIPTS = Path(sys.executable).parent

pytestmark = pytest.mark.xdist_group("distribution")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    # without isolation, since an environment to build in would be downloaded
    run(SCRIPTS / "uv", "build", "--quiet", "--offline", "--no-build-isolation", "--out-dir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_a_registry_would_take_both(built: Path, wheel: Path) -> None:
    run(SCRIPTS / "twine", "check", "--strict", *built.glob("*.whl"), *built.glob("*.tar.gz"))
    run(SCRIPTS / "check-wheel-contents", wheel)


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).rglob("*") if path.is_file()}
    assert packed == {name for name in there if "__pycache__" not in name}
    for needed in ("py.typed", "reports/page/templates/style.css", "ledger/migrations/versions/0001_first_tables.py"):
        assert f"{PACKAGE}/{needed}" in packed


def test_pip_and_airflow_are_told_the_truth(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        described = PathDistribution(WithinZip(archive, f"{folder}/"))
        metadata: Message = HeaderParser().parsestr(described.read_text("METADATA") or "")
        points = {(point.group, point.name): point.value for point in described.entry_points}
    assert metadata["Requires-Python"] == ">=3.11"
    assert sorted(metadata.get_all("Provides-Extra", [])) == ["files", "postgres", "receiver"]
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier", [])
    assert points == {
        ("console_scripts", "dropcowboy"): f"{PACKAGE}.cli.main:main",
        ("apache_airflow_provider", "provider_info"): f"{PACKAGE}.provider_info:get_provider_info",
        ("airflow.plugins", "dropcowboy"): f"{PACKAGE}.plugins.dropcowboy:DropCowboyPlugin",
    }


def test_the_wheel_is_installed_by_itself(wheel: Path, tmp_path: Path) -> None:
    run(SCRIPTS / "uv", "venv", "--quiet", "--offline", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    # what it needs is not installed again; the lock file and the tests say that it works with that
    run(SCRIPTS / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel)
    told = run(
        python,
        "-c",
        "from importlib.metadata import entry_points, version\n"
        "(point,) = entry_points(group='apache_airflow_provider')\n"
        "print(version(point.load()()['package-name']))",
        cwd=tmp_path,
    )
    assert told.strip() in wheel.name


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
