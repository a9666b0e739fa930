"""P5: memory does not grow with the number of contacts. What a send costs is measured in ``benchmarks/``."""

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.databases import Databases
from tests.acceptance.worker_process import Task
from tests.sandbox_process import SandboxProcess

FEW, MANY = 1_000, 8_000
MOST_GROWTH = 1.15


def test_eight_times_the_contacts_take_no_more_memory(
    database: str, open_databases: Callable[[str], Databases], tmp_path: Path
) -> None:
    def peak_mb(rows: int) -> float:
        with SandboxProcess() as sandbox:
            ledger_url = open_databases(database).new()
            log = tmp_path / f"{rows}.log"
            task = Task(sandbox=sandbox, ledger_url=ledger_url, log=log, rows=rows, concurrency=50, is_clean=True)
            summary = task.run()
        assert summary["accepted"] == rows
        peak: float = summary["peak_mb"]
        return peak

    assert peak_mb(MANY) / peak_mb(FEW) <= MOST_GROWTH
