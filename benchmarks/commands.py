"""The commands of the quick start beside those of an older build: ``python -m benchmarks.commands 46e5744``.

Each command is a process of its own, from its start to its end; the sandbox and the receiver end when they listen. Both
builds run by turns, each round on an empty ledger. The CPU is user and system time, as the operating system counts it.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.builds import REPOSITORY, unpack
from tests.sandbox_process import SandboxProcess

GOAL: Final = 0.33
PROGRAM: Final = "from airflow_provider_dropcowboy.cli.main import main; main()"
SEND: Final = (
    "send rvm --conn env:DC --contacts contacts.csv --key-column id --campaign hello --calling-hours off "
    "--brand-id b0000000-0000-4000-8000-000000000001 --recording-id a0000000-0000-4000-8000-000000000001"
)
COMMANDS: Final = {
    "--help": "--help",
    "sandbox": "sandbox --port 0",
    "ledger upgrade": "ledger upgrade",
    "receiver": "receiver --port 0 --conn env:DC",
    "brands": "brands --conn env:DC",
    "send": SEND,
    "send again": SEND,
    "report": "report hello --conn env:DC",
    "doctor": "doctor --conn env:DC",
    "send, first ledger": SEND,
}
SERVERS: Final = ("sandbox", "receiver")
FIRST_LEDGER: Final = "send, first ledger"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", default="46e5744", help="the older build")
    parser.add_argument("--rounds", type=int, default=9, help="each command in each build; the median counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, SandboxProcess() as sandbox:
        folder = Path(made)
        unpack(given.revision, folder / "older")
        connection = json.dumps(
            {
                "login": sandbox.team_id,
                "password": sandbox.secret,
                "host": sandbox.base_url.removesuffix("/v1"),
                "extra": {"callback_url": "http://127.0.0.1:9", "callback_secret": "a-secret-of-the-benchmark"},
            }
        )
        spent: dict[tuple[str, str], list[float]] = {}
        for count in range(given.rounds + 1):  # the first round compiles the modules, and does not count
            for name, source in (("older", folder / "older"), ("now", REPOSITORY)):
                place = folder / f"{name} {count}"
                for command, cpu_s in run_all(source, place, connection=connection).items():
                    if count:
                        spent.setdefault((command, name), []).append(cpu_s)
    table = Table("command", "older, CPU s", "now, CPU s", "ratio", f"goal {GOAL}", title=f"against {given.revision}")
    for command in COMMANDS:
        older, now = median(spent[command, "older"]), median(spent[command, "now"])
        ratio = now / older
        table.add_row(command, f"{older:.2f}", f"{now:.2f}", f"{ratio:.2f}", "" if ratio <= GOAL else "✗")
    Console().print(table)


def run_all(source: Path, place: Path, *, connection: str) -> dict[str, float]:
    """CPU seconds of each command of a build.

    :param source: of the build.
    :param place: a folder to be made, for its ledger.
    """
    place.mkdir()
    (place / "contacts.csv").write_text("id,phone,first\n1,+15045550101,Ada\n2,+15045550102,Bob\n3,n/a,Eve\n")
    environment = {**os.environ, "PYTHONPATH": str(source), "DC": connection}
    spent = {}
    for name, words in COMMANDS.items():
        home = place / ("another" if name == FIRST_LEDGER else "home")
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *shlex.split(words)],
            cwd=place, env={**environment, "AIRFLOW_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        if name in SERVERS:
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 1 if name == "doctor" else 0} and name not in SERVERS:
            assert process.stderr is not None
            raise SystemExit(f"{name} of {source} failed:\n{said.decode()}\n{process.stderr.read().decode()}")
        spent[name] = usage.ru_utime + usage.ru_stime
    return spent


if __name__ == "__main__":
    main()
