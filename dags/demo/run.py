"""``make demo``: a DAG sends to 5,000 made-up contacts through a sandbox that fails; then it runs again.

``make demo API=v2`` does the same by API v2: the DAG is the same, and its connection is another one.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from dags.demo.loop import FAULTS, RETRIES, post_without_a_ledger
from dags.demo.playground import DAY, PROGRAM, ROOT, Playground
from dags.demo.receiver import ReceiverProcess
from tests.sandbox_process import SandboxProcess

DAG_ID: Final = "rvm_from_warehouse"
TASK_ID: Final = "send"
CAMPAIGN: Final = f"{DAG_ID}.{TASK_ID}@{DAY}T00:00:00Z"
RESULTS_AFTER_S: Final = 3_600
"""From a message to its result, by the sandbox's clock, which moves on once the first run is over: until then no
callback settles what is in doubt."""

MEANINGS: Final = {
    "invalid": "no phone number that can be called",
    "suppressed": "no consent",
    "duplicate": "the same contact, or the same number, once more",
    "capped": "contacted too often of late",
    "held": "outside calling hours",
    "accepted": "Drop Cowboy accepted them",
    "delivered": "the result is in",
    "failed": "the result is in",
    "rejected": "Drop Cowboy refused them",
    "released": "not accepted: the next run sends them",
    "unknown": "in doubt: the answer was lost, so they are not sent again",
    "claimed": "another run is sending them",
}
KNOWN: Final = ("accepted", "delivered", "failed")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sandbox saw up to a moment.

    :param requested: different messages that were requested.
    :param accepted: different ones that it accepted.
    :param twice: messages or numbers that it accepted more than once.
    """

    requested: int
    accepted: int
    twice: int

    @classmethod
    def of(cls, sandbox: SandboxProcess) -> "Seen":
        """Up to now."""
        takes = sandbox.takes()
        return cls(len(sandbox.asks()), takes["sends"], takes["taken_twice"] + takes["by_phone_taken_more_than_once"])


class Demo:
    """Runs the DAG, and compares what Airflow says with what the sandbox saw."""

    def __init__(
        self, playground: Playground, sandbox: SandboxProcess, console: Console, environment: dict[str, str]
    ) -> None:
        self._playground = playground
        self._sandbox = sandbox
        self._console = console
        self._environment = environment
        self.is_good = True

    def migrate(self) -> None:
        """Airflow has its database."""
        with self._console.status("Airflow sets up its database …"):
            if not self._playground.airflow("db", "migrate", environment=self._environment):
                raise SystemExit(self._failure())

    def run(self, *, before: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """The DAG ran for the demo's day; the counts it returned.

        :param before: what it returned the last time: then only what differs is shown.
        """
        seen = Seen.of(self._sandbox)
        with self._console.status(f"Airflow runs {DAG_ID} for {DAY} …"):
            command = ("dags", "test", DAG_ID, str(DAY))
            if not self._playground.airflow(*command, environment=self._environment):
                raise SystemExit(self._failure())
        returned = self._playground.returned(DAG_ID, TASK_ID)
        if returned is None:
            raise SystemExit(self._failure())
        self._console.print(_counts(returned) if before is None else _changes(before, returned))
        self._compare(returned, seen, Seen.of(self._sandbox))
        return returned

    def wait_for_results(self) -> Mapping[str, Any]:
        """The sandbox has reported all results; the campaign's report."""
        with self._console.status("Results come in by callback …"):
            self._sandbox.advance(RESULTS_AFTER_S)
            planned = self._sandbox.callbacks()["planned"]
            self._sandbox.callbacks(wait_for=planned, timeout_s=120.0)
        report = subprocess.run(
            [str(PROGRAM), "report", CAMPAIGN, "--json"],
            env=self._environment, cwd=self._playground.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        (campaign,) = (each for each in json.loads(report.stdout) if each["account"].endswith(self._sandbox_port()))
        found: Mapping[str, Any] = campaign
        return found

    def _sandbox_port(self) -> str:
        return self._sandbox.base_url.removesuffix("/v1").rpartition(":")[2]

    def check(self, is_true: bool, said: str) -> None:
        """Say what holds, or that it does not."""
        self.is_good = self.is_good and is_true
        self._console.print(f"  [green]✓[/] {said}" if is_true else f"  [bold red]✗ not so:[/] {said}")

    def _compare(self, returned: Mapping[str, object], before: Seen, after: Seen) -> None:
        counts = _states(returned)
        rows, sent = self._playground.rows, returned["asked"]
        self.check(
            sum(counts.values()) == returned["read"] == rows, f"the counts add up to the {rows:,} rows of the table"
        )
        self.check(
            sent == after.requested - before.requested == after.accepted - before.accepted,
            f"Airflow sent {sent:,} messages now, and Drop Cowboy accepted {after.accepted - before.accepted:,}",
        )
        self.check(after.twice == 0, "no message was accepted twice, and no number was called twice")

    def _failure(self) -> str:
        lines = self._playground.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([*lines, "", f"Airflow failed; the whole log is {self._playground.log}"])


def _states(returned: Mapping[str, object]) -> dict[str, int]:
    return {name: count for name, count in returned.items() if name in MEANINGS and isinstance(count, int)}


def _table() -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right", min_width=9)
    table.add_column()
    table.add_column(style="dim")
    return table


def _counts(returned: Mapping[str, object]) -> Table:
    table = _table()
    table.add_row(f"{returned['read']:,}", "read", "rows of the table", style="bold")
    for state, count in _states(returned).items():
        table.add_row(f"{count:,}", state, MEANINGS[state])
    table.add_row(f"{returned['asked']:,}", "sent", f"in this run, {returned['rate_per_s']:,} a second", style="bold")
    return table


def _changes(before: Mapping[str, object], returned: Mapping[str, object]) -> Table:
    table = _table()
    table.add_row(f"{returned['asked']:,}", "sent", "in this run", style="bold")
    table.add_row(f"{returned['already']:,}", "sent before", "and not contacted again", style="bold")
    was, now = _states(before), _states(returned)
    for state in sorted(was.keys() | now.keys()):
        if change := now.get(state, 0) - was.get(state, 0):
            table.add_row(f"{change:+,}", state, "since the results came in")
    return table


def _settled(returned: Mapping[str, object]) -> int:
    """Rows that are sent, whatever is known of their results."""
    return sum(_states(returned).get(state, 0) for state in (*KNOWN, "unknown"))


def main(folder: Path, *, api: str = "v1") -> int:
    """The exit code: 0 if everything held."""
    console = Console(highlight=False)
    console.print("[bold]Voicemails from a warehouse table, safe to run again.[/] Nobody is called.")
    playground = Playground(folder, api=api)
    finished = folder / "finished"
    if playground.is_port_taken:
        console.print(
            "[yellow]Another program uses the sandbox's port, so it listens on another one. That makes it "
            "another account, which has contacted nobody: everybody is contacted once more.[/]"
        )
        finished.unlink(missing_ok=True)
    is_known = finished.exists()
    with playground.start_sandbox("--latency-ms", "20", "--callback-delay-s", str(RESULTS_AFTER_S), *FAULTS) as sandbox:
        environment = playground.environment() | {
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields)
            for conn_id, fields in playground.connections(sandbox, receiver_url=playground.receiver_url).items()
        }
        view = sandbox.base_url.removesuffix("/v1") + "/_sandbox"
        console.print(f"  contacts   {playground.rows:,} made-up rows in {folder.name}/warehouse.db, some unusable")
        console.print(
            f"  sandbox    a local copy of the API {api}: 1 request in 500 gets HTTP 429, 1 answer in 500 is lost"
        )
        console.print(f"             Watch it at {view}")
        console.print(f"  Airflow    its home is {folder.name}, its output is in {folder.name}/{playground.log.name}")
        demo = Demo(playground, sandbox, console, environment)
        demo.migrate()
        with ReceiverProcess(playground, environment) as receiver:
            console.print(f"\n[bold]1. {DAG_ID} runs for {DAY}[/]")
            if is_known:
                console.print("  An earlier demo did that, and its ledger is there: this is that run once more.")
            before = Seen.of(sandbox)
            first = demo.run()
            after = Seen.of(sandbox)
            if is_known:
                demo.check(first["asked"] == 0, "nothing new was sent")
            else:
                known = sum(_states(first).get(state, 0) for state in KNOWN)
                console.print(
                    f"\n  [bold]Airflow knows {known:,}. Drop Cowboy accepted {after.accepted - before.accepted:,}. "
                    "Nobody was called twice.[/]"
                )

            console.print("\n[bold]2. The results come in[/]")
            receiver.wait_until_ready()
            _show_results(console, demo.wait_for_results(), folder, were_in_doubt=_states(first).get("unknown", 0))

            console.print("\n[bold]3. The task is cleared, and runs again[/]")
            again = demo.run(before=first)
            demo.check(again["asked"] == 0, "nothing new was sent")
            demo.check(_settled(again) == _settled(first), "every row is where it was, but for its result")
            if api == "v2":
                demo.check(
                    _states(again).get("unknown", 0) == 0,
                    "nothing is in doubt: a request without an answer was repeated under its key",
                )
    if not is_known:
        _compare_with_a_loop(console, playground)
    if not demo.is_good:
        console.print("\n[bold red]Something did not hold.[/]")
        return 1
    finished.touch()
    target, other = ("make demo", "make demo API=v2")[:: 1 if api == "v1" else -1]
    console.print(f"\nRun `{target}` again: nothing new is sent. To start over, remove {folder.name}.")
    console.print(f"`{other}` does the same by the other version of the API: only the connection differs.")
    console.print("`make airflow` shows the same on Airflow's own pages.")
    return 0


def _show_results(console: Console, report: Mapping[str, Any], folder: Path, *, were_in_doubt: int) -> None:
    table = _table()
    for state, meaning in (("delivered", ""), ("failed", _commonest(report, "failed")), ("accepted", "no result")):
        if count := report.get(state, 0):
            table.add_row(f"{count:,}", state, meaning)
    in_doubt = report.get("unknown", 0)
    settled = were_in_doubt - in_doubt
    table.add_row(f"{in_doubt:,}", "in doubt", f"results settled {settled:,} of them" if settled > 0 else "")
    table.add_row(f"${report['cost_usd']:,.2f}", "cost", f"as {report['costed']:,} results say", style="bold")
    console.print(table)
    if not were_in_doubt:
        return
    program = os.path.relpath(PROGRAM)
    console.print(
        "  A message that stays in doubt is never sent again. To list such messages, and learn how to settle them:"
    )
    console.print(f"    AIRFLOW_HOME={folder} {program} unknown list {CAMPAIGN}", soft_wrap=True)


def _commonest(report: Mapping[str, Any], state: str) -> str:
    reasons = [f"{each['reason']} ({each['count']:,})" for each in report["reasons"] if each["state"] == state]
    return ", ".join(reasons[:2])


def _compare_with_a_loop(console: Console, playground: Playground) -> None:
    console.print("\n[bold]4. The same with a loop of requests.post, measured on the same faults[/]")
    with console.status("A loop sends to another sandbox; each error fails the task, and Airflow retries it …"):
        asked, called, twice = post_without_a_ledger(playground.warehouse, api=playground.api)
    table = _table()
    table.add_row(f"{asked:,}", "requests", f"in {1 + RETRIES} tries, each from the first row on")
    table.add_row(f"{called:,}", "people called", "and the task has failed")
    table.add_row(f"{twice:,}", "called twice", "or more often", style="bold red")
    console.print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="kept from one demo to the next")
    parser.add_argument("--api", choices=("v1", "v2"), default="v1")
    return parser.parse_args()


if __name__ == "__main__":
    options = _options()
    default = ROOT / (".demo" if options.api == "v1" else f".demo-{options.api}")
    try:
        sys.exit(main((options.folder or default).resolve(), api=options.api))
    except KeyboardInterrupt:
        sys.exit(130)
