"""P5: memory does not grow with the number of contacts. What a send costs is measured in ``benchmarks/``."""

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.databases import Databases
from tests.acceptance.worker_process import Task
from tests.sandbox_process import SandboxProcess

FEW, MANY = 1_000, 8_000
MOST_GROWTH = 1.15


def test_eight_times_the_contacts_take_no_more_memory(
    pair: tuple[str, str], open_databases: Callable[[str], Databases], tmp_path: Path
) -> None:
    api, kind = pair

    def peak_mb(rows: int) -> float:
        with SandboxProcess() as sandbox:
            summary = Task(
                sandbox=sandbox,
                ledger_url=open_databases(kind).new(),
                log=tmp_path / f"{rows}.log",
                rows=rows,
                concurrency=50,
                is_clean=True,
                api=api,
            ).run()
        assert summary["accepted"] == rows
        peak: float = summary["peak_mb"]
        return peak

    assert peak_mb(MANY) / peak_mb(FEW) <= MOST_GROWTH
