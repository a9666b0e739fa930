"""``make demo``: a DAG sends to 5,000 made-up contacts through a stand-in for the vendor; then it runs again."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from dags.demo.playground import DAY, ROOT, Playground
from tests.sandbox_process import SandboxProcess

DAG_ID: Final = "rvm_from_warehouse"
TASK_ID: Final = "send"

BREAKS: Final = ("--latency-ms", "20", "--fault", "429=0.002", "--fault", "lose_answer=0.002")

MEANINGS: Final = {
    "invalid": "no number that can be called",
    "suppressed": "did not consent",
    "duplicate": "the same person, or the same number, once more",
    "capped": "was called often enough of late",
    "held": "has to wait",
    "accepted": "taken by the vendor",
    "delivered": "arrived, says the vendor",
    "failed": "did not arrive, says the vendor",
    "rejected": "the vendor refused it",
    "released": "surely not taken: the next run asks",
    "unknown": "the answer was lost: perhaps taken, so not asked again",
    "claimed": "another run is asking",
}


@dataclass(frozen=True, slots=True)
class Account:
    """What the stand-in saw up to a moment.

    :param messages: different ones that were asked for.
    :param taken: different ones that it took.
    :param twice: messages or numbers that it took more than once.
    """

    messages: int
    taken: int
    twice: int

    @classmethod
    def of(cls, sandbox: SandboxProcess) -> "Account":
        """Up to now."""
        takes = sandbox.takes()
        return cls(len(sandbox.asks()), takes["sends"], takes["taken_twice"] + takes["by_phone_taken_more_than_once"])


class Demo:
    """Runs the DAG and holds what it says against what the stand-in says."""

    def __init__(self, playground: Playground, sandbox: SandboxProcess, console: Console) -> None:
        self._playground = playground
        self._sandbox = sandbox
        self._console = console
        self._environment = playground.environment(sandbox)
        self.is_good = True

    def migrate(self) -> None:
        """Airflow has its database."""
        with self._console.status("Airflow sets up its database …"):
            if not self._playground.airflow("db", "migrate", environment=self._environment):
                raise SystemExit(self._failure())

    def run(self) -> Mapping[str, object]:
        """The DAG ran for the demo's day; the counts it returned."""
        before = Account.of(self._sandbox)
        with self._console.status(f"Airflow runs {DAG_ID} for {DAY} …"):
            command = ("dags", "test", DAG_ID, str(DAY))
            if not self._playground.airflow(*command, environment=self._environment):
                raise SystemExit(self._failure())
        returned = self._playground.returned(DAG_ID, TASK_ID)
        if returned is None:
            raise SystemExit(self._failure())
        self._console.print(_funnel(returned))
        self._compare(returned, before, Account.of(self._sandbox))
        return returned

    def check(self, is_true: bool, said: str) -> None:
        """Say what holds, or that it does not."""
        self.is_good = self.is_good and is_true
        self._console.print(f"  [green]✓[/] {said}" if is_true else f"  [bold red]✗ not so:[/] {said}")

    def _compare(self, returned: Mapping[str, object], before: Account, after: Account) -> None:
        counts = _states(returned)
        rows, asked = self._playground.rows, returned["asked"]
        self.check(
            sum(counts.values()) == returned["read"] == rows, f"the counts add up to the {rows:,} rows of the table"
        )
        self.check(
            asked == after.messages - before.messages == after.taken - before.taken,
            f"Airflow says it asked for {asked:,} messages now, and the stand-in took {after.taken - before.taken:,}",
        )
        self.check(after.twice == 0, "the stand-in took no message twice, and called no number twice")

    def _failure(self) -> str:
        lines = self._playground.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([*lines, "", f"Airflow failed; the whole log is {self._playground.log}"])


def _states(returned: Mapping[str, object]) -> dict[str, int]:
    return {name: count for name, count in returned.items() if name in MEANINGS and isinstance(count, int)}


def _funnel(returned: Mapping[str, object]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right", min_width=9)
    table.add_column()
    table.add_column(style="dim")
    table.add_row(f"{returned['read']:,}", "read", "rows of the table", style="bold")
    for state, count in _states(returned).items():
        table.add_row(f"{count:,}", state, MEANINGS[state])
    table.add_row(f"{returned['asked']:,}", "asked", f"in this run, {returned['rate_per_s']:,} a second", style="bold")
    table.add_row(f"{returned['already']:,}", "already", "asked by a run before", style="bold")
    return table


def main(folder: Path) -> int:
    """The exit code: 0 if everything held."""
    console = Console(highlight=False)
    console.print("[bold]Voicemails from a warehouse, safe to run again.[/] Nobody is called.")
    playground = Playground(folder)
    finished = folder / "finished"
    if playground.is_port_taken:
        console.print(
            "[yellow]The stand-in's port is taken by another program, so it listens on another one. That makes it "
            "another account, which has not called anybody: everybody is asked once more.[/]"
        )
        finished.unlink(missing_ok=True)
    is_known = finished.exists()
    with playground.start_sandbox(*BREAKS) as sandbox:
        console.print(
            f"  contacts   {playground.rows:,} made-up rows, some of them useless, in {folder.name}/warehouse.db"
        )
        console.print(f"  stand-in   {sandbox.base_url}, refuses 1 in 500, loses 1 in 500 answers")
        console.print(f"  Airflow    home is {folder.name}, its output is in {folder.name}/{playground.log.name}")
        console.print("  hours      any will do, so that there is something to see at night")
        demo = Demo(playground, sandbox, console)
        demo.migrate()

        console.print(f"\n[bold]1. {DAG_ID} runs for {DAY}[/]")
        if is_known:
            console.print("  An earlier demo did, and its ledger is there: this is that run once more.")
        first = demo.run()
        if is_known:
            demo.check(first["asked"] == 0, "nothing new was sent")

        console.print("\n[bold]2. It is cleared and runs again[/]")
        again = demo.run()
        demo.check(again["asked"] == 0, "nothing new was sent")
        demo.check(_states(again) == _states(first), "every row stands where it stood")
    if not demo.is_good:
        console.print("\n[bold red]Something did not hold.[/]")
        return 1
    finished.touch()
    console.print(f"\nRun it once more: nothing new will be sent. To begin anew, remove {folder.name}.")
    console.print("`make airflow` shows the same in Airflow's own pages.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".demo"))
    except KeyboardInterrupt:
        sys.exit(130)
