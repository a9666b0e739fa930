"""One build's receiver: CPU of a callback, or what a restart loses; prints JSON.

``python benchmarks/callbacks.py cpu --ledger URL`` or ``… restart``, with the build first in ``PYTHONPATH``.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.secret import Secret
from benchmarks import receiver
from benchmarks.receiver import prepare, wait_for_ledger

SECRET = "callback-secret-1"
STEADY = Path(__file__).resolve().parent.parent / "tests" / "integration" / "receiver" / "steady.py"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["cpu", "restart"])
    parser.add_argument("--ledger", default="", help="URL of an empty database")
    parser.add_argument("--callbacks", type=int, default=6_000)
    parser.add_argument("--kind", default="group", help="as of benchmarks.receiver_server")
    parser.add_argument("--workers", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "cpu":
            print(json.dumps({"cpu_us": cpu_us(options.ledger, options.callbacks, options.kind, Path(folder))}))
        else:
            print(json.dumps(restart(Path(folder), workers=options.workers)))


def cpu_us(url: str, callbacks: int, kind: str, folder: Path) -> float:
    """Microseconds of the receiver's process for each callback."""
    requests = folder / "requests"
    requests.write_text("".join(f"{line}\n" for line in prepare(url, callbacks)))
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver_server", kind, "--ledger", url, "--spool", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        wait_for_ledger(f"http://127.0.0.1:{port}/ready")
        before = psutil.Process(server.pid).cpu_times()
        load = [sys.executable, "-m", "benchmarks.receiver_load", str(requests), "--port", port]
        subprocess.run(load, stdout=subprocess.DEVNULL, check=True)
        after = psutil.Process(server.pid).cpu_times()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    return (after.user + after.system - before.user - before.system) / callbacks * 1e6


def restart(folder: Path, *, workers: str) -> dict[str, float]:
    """How many callbacks a restart loses at 200 a second; the next receiver starts beside the first where it can."""
    url = f"sqlite:///{folder}/ledger.db"
    open_ledger(url, may_create=True).engine.dispose()
    connection = {"conn_type": "dropcowboy", "login": "team", "password": "the-api-secret"}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder),
        "DROPCOWBOY_LEDGER_URL": url,
        "BENCH": json.dumps({**connection, "extra": {"callback_secret": SECRET}}),
    }

    def start(port: int) -> "subprocess.Popen[str]":
        program = Path(sys.executable).with_name("dropcowboy")
        words = [str(program), "receiver", "--conn", "env:BENCH", "--port", str(port), "--workers", workers]
        return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    old = start(0)
    assert old.stdout is not None
    port = int(old.stdout.readline().rpartition(":")[2])
    wait_for_ledger(f"http://127.0.0.1:{port}/ready")
    builds: Any = receiver  # imports both from where its build has them
    urls = builds.CallbackUrls("", Secret(SECRET))
    with steady().SteadyVendor(port, target=lambda number: urls.url(builds.Ticket(f"f{number}", 1))) as vendor:
        time.sleep(1)
        new = start(port)
        assert new.stdout is not None
        is_beside = bool(new.stdout.readline())
        old.terminate()
        old.wait()
        if not is_beside:  # the address was taken
            new = start(port)
        wait_until_answers(port)
        time.sleep(1)
    new.terminate()
    new.wait()
    return {"posted": vendor.posted, "lost": vendor.posted - vendor.answers["200"]}


def wait_until_answers(port: int) -> None:
    """The next receiver serves."""
    while True:
        try:
            return wait_for_ledger(f"http://127.0.0.1:{port}/ready")
        except OSError:
            time.sleep(0.05)


def steady() -> Any:
    """The load, as this build has it."""
    spec = spec_from_file_location("steady", STEADY)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
