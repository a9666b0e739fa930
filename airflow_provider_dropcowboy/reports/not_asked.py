"""Rows that were read and not asked for, and by which rule: what the last run of each task says."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from airflow_provider_dropcowboy.states import VERDICTS, State

MAX_RUNS: Final = 200
"""Of the newest: a campaign of a mapped task has one a partition, a wave and a try."""


class _Run(Protocol):
    """Of the ledger. A run from a shell has no DAG, a task that is not mapped no index."""

    @property
    def dag_id(self) -> str | None: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def map_index(self) -> int | None: ...
    @property
    def counts(self) -> Mapping[State, int]: ...
    @property
    def verdicts(self) -> Mapping[State, Mapping[str, int]] | None: ...


R = TypeVar("R", bound=_Run)


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Verdicts on rows.

    :param counts: rows by state.
    :param reasons: rows by state and reason: the rule, with the version of its file; empty until a run has ended.
    """

    counts: Counter[State]
    reasons: Counter[tuple[State, str]]

    @classmethod
    def of(cls, runs: Iterable[_Run]) -> Self:
        """What the last run of each task says.

        :param runs: of one campaign, the newest first.
        """
        counts: Counter[State] = Counter()
        reasons: Counter[tuple[State, str]] = Counter()
        for run in last_of_each_task(runs):
            counts.update({State(state): rows for state, rows in run.counts.items() if State(state) in VERDICTS})
            for state, whys in (run.verdicts or {}).items():
                reasons.update({(State(state), reason): rows for reason, rows in whys.items()})
        return cls(+counts, reasons)

    def reasons_of(self, state: State) -> list[tuple[str, int]]:
        """Why rows are in a state, the commonest reason first."""
        return reasons_of(self.reasons, state)


def reasons_of(reasons: Counter[tuple[State, str]], state: State) -> list[tuple[str, int]]:
    """Those of one state with their counts, the commonest first."""
    return [(reason, count) for (of, reason), count in reasons.most_common() if of is state]


def last_of_each_task(runs: Iterable[R]) -> list[R]:
    """Of each task its newest run: each judges all its rows anew.

    :param runs: the newest first.
    """
    last: dict[tuple[object, ...], R] = {}
    for run in runs:
        last.setdefault((run.dag_id, run.task_id, run.map_index), run)
    return list(last.values())
