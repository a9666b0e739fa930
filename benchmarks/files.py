"""Files that a person loads: opt-outs into the ledger, and the memory of a wide Parquet file.

``python -m benchmarks.files [--numbers N] [--before DIR] [--url URL]``. ``--before`` is a checkout of an earlier
commit, run by the same interpreter on a ledger of its own. ``--url`` is a PostgreSQL database; each import empties it.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import pyarrow
import sqlalchemy as sa
from pyarrow import parquet

from airflow_provider_dropcowboy.contacts.files import read_rows

NUMBERS_BEFORE: Final = 150_000
PARQUET_ROWS: Final = 200_000
UNUSED_COLUMNS: Final = 60
PROGRAM: Final = "from airflow_provider_dropcowboy.cli.main import program; program()"


def main() -> None:
    """Print rates and their ratio, then peaks and theirs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(_peak_mb(Path(options.peak)))
        return
    here = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        now, now_cpu_us = _import_rate(here, options.numbers, Path(folder), url=options.url)
        print(f"suppress import: {options.numbers} numbers, {now:.0f} a second, {now_cpu_us:.0f} us of CPU each")
        if options.before:
            then, then_cpu_us = _import_rate(options.before, NUMBERS_BEFORE, Path(folder), url=options.url)
            print(f"before: {NUMBERS_BEFORE} numbers, {then:.0f} a second, {then_cpu_us:.0f} us of CPU each")
            print(f"ratio {now / then:.1f}; of the CPU {then_cpu_us / now_cpu_us:.1f}")
        narrow, wide = (_peak_of(Path(folder), unused=unused) for unused in (0, UNUSED_COLUMNS))
        print(f"Parquet, {PARQUET_ROWS} rows: {narrow:.0f} MB; with {UNUSED_COLUMNS} unused columns: {wide:.0f} MB")
        print(f"ratio {wide / narrow:.2f}")


def _import_rate(checkout: Path, count: int, folder: Path, *, url: str | None) -> tuple[float, float]:
    """Numbers a second, and microseconds of CPU a number; both with the program's start."""
    home = folder / checkout.resolve().name / "home"
    home.mkdir(parents=True)
    if url:
        with sa.create_engine(url).begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "AIRFLOW_HOME": str(home),
        "DROPCOWBOY_LEDGER_URL": url or f"sqlite:///{home / 'ledger.db'}",
    }
    numbers = folder / f"{count}.csv"
    numbers.write_text("phone\n" + "".join(f"+1504{2_000_000 + n}\n" for n in range(count)))
    words = [sys.executable, "-c", PROGRAM]
    subprocess.run([*words, "ledger", "upgrade"], env=environment, cwd=folder, check=True, capture_output=True)
    command = [*words, "suppress", "import", str(numbers)]
    started_s, used_s = time.monotonic(), _cpu_s()
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    return count / (time.monotonic() - started_s), (_cpu_s() - used_s) / count * 1e6


def _cpu_s() -> float:
    """Of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peak_of(folder: Path, *, unused: int) -> float:
    """Megabytes of a process that reads three columns of a file that has so many more."""
    path = folder / f"{unused}.parquet"
    columns: dict[str, object] = {
        "id": range(PARQUET_ROWS),
        "phone": [f"+1504{2_000_000 + n}" for n in range(PARQUET_ROWS)],
        "name": [f"Zoë{n}" for n in range(PARQUET_ROWS)],
    }
    texts = [f"a text that nobody reads, number {n}" for n in range(PARQUET_ROWS)]
    parquet.write_table(pyarrow.table(columns | {f"text{n}": texts for n in range(unused)}), path)
    words = [sys.executable, "-m", "benchmarks.files", "--peak", str(path)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _peak_mb(path: Path) -> float:
    with path.open("rb") as file:
        for _ in read_rows(file, path.name, columns=["id", "phone", "name"]):
            pass
    # not ru_maxrss, which also counts the process that started this one
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
