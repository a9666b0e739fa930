"""What screening says of a row that is not to be called in this run."""

from dataclasses import dataclass, field

from airflow_provider_dropcowboy.states import State


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fact of one run; the next run judges the row anew.

    :param reason: one of a few, fit for counting, that a person understands.
    """

    state: State
    reason: str
    key: str | None = field(default=None, repr=False)
