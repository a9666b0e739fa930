"""What sandbox and ledger say after a run, held against each other."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER
from airflow_provider_dropcowboy.ledger.schema import HISTORY, RUNS, SENDS
from airflow_provider_dropcowboy.ledger.sends import state_now
from airflow_provider_dropcowboy.states import State
from tests.acceptance.contacts import Table
from tests.sandbox_process import SandboxProcess

SURELY_NOT_TAKEN: Final = frozenset({"429", "429_seconds", "429_date"})
"""Answers of the sandbox after which a message may be asked for again."""
MAY_BE_TAKEN: Final = frozenset({State.ACCEPTED, State.UNKNOWN, State.DELIVERED, State.FAILED})


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended by itself.

    :param stop_reason: why it ended before its source did, or what it failed with; None: neither.
    """

    id: int
    counts: Mapping[str, int]
    stop_reason: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Each method names what broke a promise; empty: nothing did.

    :param asked: what the sandbox knows of each send, by foreign_id.
    :param numbers: how often the sandbox took each number.
    :param states: of each send in the ledger, by foreign_id; what a dead run claimed is unknown.
    :param keys: contact key by foreign_id.
    :param ledger_numbers: number by foreign_id.
    :param api: version of the vendor's API.
    :param rows: what the ledger says of each send, in words, by foreign_id.
    """

    table: Table = field(repr=False)
    asked: Mapping[str, Mapping[str, Any]] = field(repr=False)
    numbers: Mapping[str, int] = field(repr=False)
    states: Mapping[str, State] = field(repr=False)
    keys: Mapping[str, str] = field(repr=False)
    ledger_numbers: Mapping[str, str] = field(repr=False)
    rows: Mapping[str, str] = field(repr=False)
    runs: list[Run]
    api: str = "v1"

    @classmethod
    def of(cls, table: Table, sandbox: SandboxProcess, *, ledger_url: str, api: str = "v1") -> Self:
        """What both say now, when no run lives any more."""
        ledger = open_ledger(ledger_url)
        with ledger.reading() as connection:
            sends = connection.execute(
                sa.select(SENDS, RUNS.c.ended_at, RUNS.c.heartbeat_at).join_from(
                    SENDS, RUNS, RUNS.c.id == SENDS.c.run_id
                )
            ).all()
            runs = connection.execute(sa.select(RUNS).where(RUNS.c.ended_at.is_not(None))).all()
            history = connection.execute(sa.select(HISTORY).order_by(HISTORY.c.id)).all()
        ledger.engine.dispose()
        long_after = utcnow() + 2 * SILENT_AFTER
        return cls(
            table=table,
            asked=sandbox.sends(),
            numbers=sandbox.takes_by_phone(),
            states={send.foreign_id: state_now(send, long_after) for send in sends},
            keys={send.foreign_id: send.contact_key for send in sends},
            ledger_numbers={send.foreign_id: send.phone_number for send in sends},
            rows={send.foreign_id: _in_words(send, history) for send in sends},
            runs=[Run(run.id, run.counts, run.stop_reason) for run in runs],
            api=api,
        )

    @property
    def taken(self) -> set[str]:
        """What the sandbox took, by foreign_id."""
        return {foreign_id for foreign_id, send in self.asked.items() if send["takes"]}

    def account_of(self, name: str) -> str:
        """What both know of the sends with this foreign_id, number or contact key: how a promise was broken."""
        ids = [
            foreign_id
            for foreign_id in self.asked.keys() | self.rows.keys()
            if name in {foreign_id, self.ledger_numbers.get(foreign_id), self.keys.get(foreign_id)}
        ]
        return "\n".join(
            f"{foreign_id}\n  sandbox: {_at_the_sandbox(self.asked.get(foreign_id, {}))}\n"
            f"  ledger: {self.rows.get(foreign_id, 'nothing')}"
            for foreign_id in ids
        )

    def counts(self) -> Counter[State]:
        """How many sends of the ledger stand where."""
        return Counter(self.states.values())

    def taken_twice(self) -> list[str]:
        """Sends and numbers that the sandbox took more than once."""
        return [
            *(foreign_id for foreign_id, send in self.asked.items() if send["takes"] > 1),
            *(number for number, takes in self.numbers.items() if takes > 1),
        ]

    def asked_again_in_doubt(self) -> list[str]:
        """Sends asked for again after an answer that does not prove that they were not taken; on v2, by another key."""
        if self.api == "v2":
            return [
                foreign_id
                for foreign_id, send in self.asked.items()
                if " " in send["keys"] and SURELY_NOT_TAKEN.isdisjoint(send["answers"].split())
            ]
        return [
            foreign_id
            for foreign_id, send in self.asked.items()
            if not SURELY_NOT_TAKEN.issuperset(send["answers"].split()[:-1])
        ]

    def in_doubt_after_the_next_run(self) -> list[str]:
        """Sends that nobody can settle but a callback or a person: on v2, none is."""
        return [name for name, state in self.states.items() if state is State.UNKNOWN and self.api == "v2"]

    def not_in_the_ledger(self) -> list[str]:
        """Keys of the table that have neither a send nor one of their number; and the ledger's keys from nowhere."""
        numbers = set(self.ledger_numbers.values())
        missing = [key for key, number in self.table.numbers.items() if number not in numbers]
        return [*missing, *(set(self.keys.values()) - set(self.table.numbers))]

    def taken_and_lost(self) -> list[str]:
        """Sends that the sandbox took and the ledger does not think that it may have."""
        return [foreign_id for foreign_id in self.taken if self.states.get(foreign_id) not in MAY_BE_TAKEN]

    def accepted_and_never_taken(self) -> list[str]:
        """Sends that the ledger calls accepted and the sandbox never took."""
        return [
            foreign_id
            for foreign_id, state in self.states.items()
            if state is State.ACCEPTED and foreign_id not in self.taken
        ]

    def unbalanced_runs(self) -> list[Run]:
        """Runs that read the whole table and whose counts do not add up to its rows."""
        rows = len(self.table.rows)
        return [run for run in self.runs if run.stop_reason is None and sum(run.counts.values()) != rows]

    def failed_runs(self) -> list[Run]:
        """Runs that failed for another reason than that the ledger's database was away."""
        return [
            run
            for run in self.runs
            if (run.stop_reason or "").startswith("failed with") and run.stop_reason != "failed with LedgerError"
        ]

    def last_run_differs(self) -> list[str]:
        """States in which the last run's counts are not what table and ledger say."""
        last = max(self.runs, key=lambda run: run.id).counts
        ledger = self.counts()
        expected = {State.INVALID: self.table.invalid} | {
            state: ledger[state] for state in (State.ACCEPTED, State.UNKNOWN, State.REJECTED)
        }
        return [
            f"{state}: {last.get(state, 0)}, not {count}"
            for state, count in expected.items()
            if last.get(state, 0) != count
        ]

    def broken(self) -> dict[str, list[Any]]:
        """What was found, by promise."""
        return {
            "taken twice": self.taken_twice(),
            "asked again while in doubt": self.asked_again_in_doubt(),
            "in doubt after the next run": self.in_doubt_after_the_next_run(),
            "taken, and lost by the ledger": self.taken_and_lost(),
            "called accepted, and never taken": self.accepted_and_never_taken(),
            "contacts that the ledger lacks": self.not_in_the_ledger(),
            "runs whose counts do not add up": self.unbalanced_runs(),
            "runs that failed": self.failed_runs(),
            "counts of the last run that differ": self.last_run_differs(),
        }


def _at_the_sandbox(send: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {send[name]}" for name in ("asks", "takes", "answers", "keys") if name in send)


def _in_words(send: Any, history: Sequence[Any]) -> str:
    now = f"{send.state} ({send.reason}), attempt {send.attempt}, run {send.run_id}, claimed at {send.claimed_at:%T.%f}"
    if send.answered_at is not None:
        now += f", answered at {send.answered_at:%T.%f}"
    return "; ".join(
        [
            now,
            *(
                f"{row.at:%T.%f} {row.event}: {row.state_before} to {row.state_after}, attempt {row.attempt}"
                for row in history
                if row.foreign_id == send.foreign_id
            ),
        ]
    )


def let_silence_pass(ledger_url: str, pids: Collection[int], *, meanwhile: Callable[[], None] = lambda: None) -> None:
    """The runs of these processes have been silent for longer than a run may be; nobody waits for it.

    :param meanwhile: done while nobody claims: a process that is frozen there holds no lock that its retry waits for.
    """
    ledger = open_ledger(ledger_url)
    with ledger.reading() as connection:
        account = connection.scalars(sa.select(RUNS.c.account)).first() or ""
    with ledger.claiming(account) as connection:
        for run in connection.execute(sa.select(RUNS).where(RUNS.c.ended_at.is_(None))).all():
            if int(run.worker.rpartition(":")[2]) in pids:
                silent_since = run.heartbeat_at - SILENT_AFTER - timedelta(seconds=1)
                connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(heartbeat_at=silent_since))
        meanwhile()
    ledger.engine.dispose()
