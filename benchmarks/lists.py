"""A new contact list: a sync against what its appends take at least, and against a loop over the hook.

``python -m benchmarks.lists [--rows N] [--latency-ms N]``. The vendor counts rows and answers after a fixed time, so
that the client is measured, each in a process of its own. The bound is the appends' time alone, as many at once as the
sync has under way. The loop appends what it is given: no number is read, nothing is written down, and it must not be
run again.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from typing import Any, Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.limits import MAX_OF_SYNC
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.sync import sync_list
from airflow_provider_dropcowboy.lists.vendor import Stop
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client, append_all

ACCOUNT_OF: Final = ("team", "secret")
FIELDS: Final = {"record_id": "id", "phone": "mobile", "first_name": "first"}


def rows(count: int, *, changed: int = 0) -> Iterator[dict[str, object]]:
    """So many contacts; the first ones may be others."""
    for n in range(count):
        yield {"id": n, "mobile": f"+1504{2_000_000 + n}", "first": f"{'Ann' if n < changed else 'Zoë'}{n}"}


def serve(latency_s: float) -> None:
    """Until it is killed: a vendor that counts what it is given."""
    lists: dict[str, dict[str, Any]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = self.path.split("/")
            if parts[-1] == "contacts":
                # every row begins so; reading it all would be most of what is measured
                accepted = len(re.findall(rb'\["', body)) - 1
                time.sleep(latency_s)
                lists[parts[-2]]["contact_count"] += accepted
                self._answer({"accepted_count": accepted, "rejected": []})
            elif parts[-1] == "list":
                made = {"list_id": str(len(lists)), "list_name": json.loads(body)["list_name"], "contact_count": 0}
                lists[str(len(lists))] = made
                self._answer(made)
            else:
                lists[parts[-1]]["list_name"] = json.loads(body)["list_name"]
                self._answer({})

        def do_GET(self) -> None:
            self._answer(lists[self.path.split("/")[-1]])

        def do_DELETE(self) -> None:
            self._answer({})

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def sync(base_url: str, count: int) -> dict[str, float]:
    """A mirror made, then looked at unchanged, then built anew for one changed row."""
    settings = ConnectionSettings(account=Account(ACCOUNT_OF[0], Secret(ACCOUNT_OF[1]), base_url))
    arguments = ListArguments.read(
        {"contacts": (), "fields": FIELDS, "list_name": "bench", "mode": "mirror", "key_column": "id"}
    )
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}", may_create=True)
        warm = replace(arguments, list_name="warm")
        sync_list(warm, settings, ledger, rows=rows(10), stop=Stop(), who=Who())
        before_mb = _peak_mb()
        for name, changed in (("made", 0), ("unchanged", 0), ("rebuilt", 1)):
            begun_at = time.perf_counter()
            source = rows(count, changed=changed)
            summary = sync_list(arguments, settings, ledger, rows=source, stop=Stop(), who=Who())
            took[name] = time.perf_counter() - begun_at
            assert summary.contact_count == count
        took["extra_mb"] = _peak_mb() - before_mb
        ledger.engine.dispose()
    return took


def loop(base_url: str, count: int) -> dict[str, float]:
    """What ``hook.append_contacts`` does, a call's worth of rows at a time."""
    with Client(Account(ACCOUNT_OF[0], Secret(ACCOUNT_OF[1]), base_url)) as client:
        list_id = client.ask(V1().create_list("loop")).list_id
        begun_at = time.perf_counter()
        source = rows(count)
        for start in range(0, count, V1.list_rules.max_rows):
            size = min(V1.list_rules.max_rows, count - start)
            values = [[str(row["id"]), str(row["mobile"]), str(row["first"])] for row, _ in zip(source, range(size))]  # noqa: B905
            append_all(client, list_id, fields=list(FIELDS), values=values)
        return {"made": time.perf_counter() - begun_at}


def main() -> None:
    """Measure both, and print ratios."""
    options = _options()
    if options.role == "serve":
        serve(options.latency_ms / 1000)
        return
    if options.role:
        print(json.dumps((sync if options.role == "sync" else loop)(options.url, options.rows)))
        return
    server = subprocess.Popen([*_command("serve"), "--latency-ms", str(options.latency_ms)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        ours, theirs = (_run(role, url, options.rows) for role in ("sync", "loop"))
    finally:
        server.kill()
        server.communicate()
    appends = ceil(options.rows / V1.list_rules.max_rows)
    bound_s = ceil(appends / MAX_OF_SYNC) * options.latency_ms / 1000
    print(f"{options.rows:,} contacts in {appends} appends of {options.latency_ms:g} ms, {MAX_OF_SYNC} at once")
    for name, seconds in (
        ("bound by the appends", bound_s),
        ("sync: a new list", ours["made"]),
        ("sync: built anew for one changed row", ours["rebuilt"]),
        ("sync: unchanged", ours["unchanged"]),
        ("loop over the hook", theirs["made"]),
    ):
        print(f"  {name:<37} {options.rows / seconds:>9,.0f}/s  {bound_s / seconds:>5.2f} of the bound")
    print(f"  sync / loop                           {theirs['made'] / ours['made']:>9.2f}")
    print(f"  memory over that of ten contacts      {ours['extra_mb']:>9.0f} MB")


def _run(role: str, url: str, count: int) -> dict[str, float]:
    done = subprocess.run([*_command(role), "--url", url, "--rows", str(count)], stdout=subprocess.PIPE, check=True)
    took: dict[str, float] = json.loads(done.stdout)
    return took


def _command(role: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.lists", "--role", role]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--latency-ms", type=float, default=2000.0)
    parser.add_argument("--role", choices=["serve", "sync", "loop"])
    parser.add_argument("--url")
    return parser.parse_args()


if __name__ == "__main__":
    main()
