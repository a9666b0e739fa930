"""``make demo-distributed``: many workers send one campaign while their machines, scheduler and database fail."""

import os
import shutil
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from airflow_provider_dropcowboy.states import State
from dags.demo.cluster import CONCURRENCY, DAG_ID, PARTS, SEND, WAIT, Cluster
from dags.demo.playground import FOREIGN, ROOT
from tests.in_airflow.celery_processes import SLOTS

ROWS: Final = 20_000
LATENCY_MS: Final = 150
SANDBOX: Final = (
    *("--latency-ms", str(LATENCY_MS), "--fault", "lose_answer=0.001"),
    *("--outcome", "success=0.91", "--outcome", "failure=0.08", "--outcome", "dnc=0.01"),
)

MAX_DOUBT: Final = 3 * CONCURRENCY * SLOTS
"""What one worker that dies may leave: each of its tasks at most three times its concurrency."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where everything stands at the end.

    :param funnel: as ``dropcowboy report --json`` shows it.
    :param parts: the summary of each mapped task, as Airflow keeps it.
    :param waited: what the sensor returned: the counts of the whole campaign.
    :param takes: the sandbox's account.
    :param asks: requests for each message at the sandbox.
    :param told: results that the receiver accepted.
    """

    funnel: dict[str, Any]
    parts: list[dict[str, Any]]
    waited: dict[str, Any]
    takes: dict[str, int]
    asks: Counter[str]
    told: int

    @classmethod
    def of(cls, cluster: Cluster, run_id: str) -> "Ended":
        """Now."""
        waited = cluster.airflow.return_value(DAG_ID, run_id, task_id=WAIT)
        assert isinstance(waited, dict)
        return cls(
            funnel=cluster.report(),
            parts=cluster.returned(run_id),
            waited=waited,
            takes=cluster.sandbox.takes(),
            asks=Counter(cluster.sandbox.asks()),
            told=cluster.sandbox.callbacks()["by_answer"].get("200", 0),
        )

    def count(self, *states: State) -> int:
        """Sends of the ledger that stand in one of these."""
        return sum(self.funnel.get(state, 0) for state in states)

    @property
    def twice(self) -> int:
        """Messages and numbers that the sandbox accepted more than once."""
        return self.takes["taken_twice"] + self.takes["by_phone_taken_more_than_once"]

    @property
    def rate_per_s(self) -> float:
        """From the first claim to the last result, with all that was away in between."""
        first, last = (datetime.fromisoformat(self.funnel[name]) for name in ("first_claimed_at", "last_final_at"))
        return self.takes["takes"] / (last - first).total_seconds()


def main(folder: Path) -> int:
    """The exit code: 0 if every promise held."""
    console = Console(highlight=False)
    console.print("[bold]One campaign on many workers, while things break.[/] Nobody is called.")
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy"):
            del os.environ[name]  # the user's own Airflow, ledger and account have no part in this
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with console.status("PostgreSQL, broker, Airflow, receiver and sandbox start …"):
        cluster = Cluster(folder, rows=ROWS, sandbox_options=SANDBOX)
    with cluster:
        console.print(f"  Airflow    {cluster.airflow.url}, 2 Celery workers of {SLOTS} slots")
        console.print("  PostgreSQL one server: Airflow's own tables, the warehouse, the ledger")
        console.print(f"  sandbox    {LATENCY_MS} ms an answer, loses 1 in 1,000 answers")
        console.print(f"  logs       in {folder.name}/")
        console.print(f"\n[bold]1. {DAG_ID} sends to {ROWS:,} people, in {PARTS} parts[/]")
        run_id = cluster.trigger()
        break_things(cluster, console)
        with console.status("what is left is sent, and the results come in …"):
            cluster.wait_for_success(run_id)
        first = Ended.of(cluster, run_id)

        console.print("\n[bold]2. The same run is cleared and runs again[/]")
        cluster.airflow.clear(DAG_ID, run_id, task_ids=[SEND, WAIT])
        with console.status("all tasks run again …"):
            cluster.wait_for_success(run_id)
        ended = Ended.of(cluster, run_id)
    console.print(_table(ended))
    is_good = True
    for is_true, said in _promises(first, ended):
        is_good = is_good and is_true
        console.print(f"  [green]✓[/] {said}" if is_true else f"  [bold red]✗ not so:[/] {said}")
    console.print(f"sent twice: {ended.twice}")
    return 0 if is_good else 1


def break_things(cluster: Cluster, console: Console) -> None:
    """A worker is killed, the scheduler is away for a while, PostgreSQL is restarted."""

    def wait_for(share: float) -> str:
        with console.status(f"waiting until {share:.0%} are sent …"):
            cluster.wait_for_takes(int(ROWS * share))
        return f"  {share:>4.0%} sent:"

    said = wait_for(0.2)
    cluster.airflow.kill("worker-1")
    console.print(f"{said} kill -9 of worker-1 and its tasks; {cluster.airflow.add_worker()} takes its place")
    said = wait_for(0.3)
    cluster.airflow.kill("scheduler")
    console.print(f"{said} the scheduler is gone")
    said = wait_for(0.4)
    cluster.airflow.start("scheduler")
    console.print(f"{said} the scheduler is back")
    said = wait_for(0.7)
    cluster.postgres.restart()
    console.print(f"{said} PostgreSQL was restarted")


def _promises(first: Ended, ended: Ended) -> list[tuple[bool, str]]:
    """Each: whether it holds, and what it is."""
    final = ended.count(State.DELIVERED, State.FAILED)
    doubt = ended.count(State.UNKNOWN)
    stand = sum(count for part in ended.parts for name, count in part.items() if name in set(State))
    asked_again = sum(part["asked"] for part in ended.parts)
    return [
        (ended.twice == 0, "the sandbox accepted no message twice, and called no number twice"),
        (set(ended.asks.values()) == {1}, "it had one request for each message"),
        (
            sum(part["read"] for part in ended.parts) == stand == ROWS,
            f"the counts of the {PARTS} parts add up to the {ROWS:,} rows",
        ),
        (ended.funnel["asked"] == ROWS == final + doubt, "each row has its result, or is in doubt"),
        (final == ended.takes["takes"] == ended.told, f"each of {ended.told:,} results is in the ledger"),
        (doubt <= MAX_DOUBT, f"the killed worker left {doubt} in doubt, {MAX_DOUBT} at most"),
        (
            asked_again == 0 and first.asks == ended.asks,
            "the second time, nothing new was sent",
        ),
        (
            all(ended.waited.get(state, 0) == ended.count(state) for state in (State.DELIVERED, State.FAILED)),
            "the sensor returned the counts of the whole campaign",
        ),
    ]


def _table(ended: Ended) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right", min_width=9)
    table.add_column()
    table.add_column(style="dim")
    delivered, failed, doubt = (ended.count(state) for state in (State.DELIVERED, State.FAILED, State.UNKNOWN))
    table.add_row(f"{ROWS:,}", "rows", "of the warehouse's table")
    table.add_row(f"{delivered + failed + ended.count(State.ACCEPTED):,}", "accepted", "by the vendor")
    table.add_row(f"{doubt:,}", "in doubt", "by the killed worker: perhaps sent, so not sent again")
    table.add_row(f"{delivered:,}", "delivered", "arrived, says the vendor")
    table.add_row(f"{failed:,}", "failed", "did not arrive, says the vendor")
    table.add_row(f"{ended.rate_per_s:,.0f}", "a second", "with all that was away in between")
    return table


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # all that was started is ended
    try:
        sys.exit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".demo-distributed"))
    except KeyboardInterrupt:
        sys.exit(130)
