"""``make demo`` shows what it promises, and shows it again."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dags.demo.playground import ROOT

pytestmark = pytest.mark.airflow


def demo(folder: Path) -> str:
    """What a demo prints that ended well."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "dags" / "demo" / "run.py"), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "not so" not in done.stdout
    return done.stdout


def test_a_demo_sends_once_and_so_do_all_demos_after_it(tmp_path: Path) -> None:
    first = demo(tmp_path / "demo")
    assert re.search(r"Airflow knows 4,3\d\d\. Drop Cowboy accepted 4,3\d\d\. Nobody was called twice\.", first)
    assert re.search(r"\d,\d{3} +delivered", first)
    assert re.search(r"\$\d+\.\d\d +cost", first)
    assert re.search(r"[1-9][\d,]* +called twice", first)
    assert "and Drop Cowboy accepted 0" in first
    second = demo(tmp_path / "demo")
    assert "and Drop Cowboy accepted 4,3" not in second
    assert second.count("nothing new was sent") == 2
