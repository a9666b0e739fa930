"""The rows that a run does not send, on their way into the ledger, a batch at a time."""

from collections.abc import Sequence
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import PREFIX_CHARACTERS, digest
from airflow_provider_dropcowboy.ledger.judgement import Judgement
from airflow_provider_dropcowboy.ledger.patience import keep_verdicts_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, Who
from airflow_provider_dropcowboy.ledger.verdicts import NotSent, invalid_name
from airflow_provider_dropcowboy.screening.screen import Message, Verdict

WRITE_ROWS: Final = 500


class NotSentRows:
    """Gathers the verdicts of a run's rows; memory holds a few batches. Used in one event loop.

    Rows that another run sent are not among them: they are sends. Rows of another partition are another run's.

    :param has_keys: a column holds the contact keys; else they are numbers, which are not kept here.
    """

    def __init__(self, ledger: Ledger, run: Run, *, who: Who, has_keys: bool, control: Control) -> None:
        self._ledger = ledger
        self._run = run
        self._control = control
        self._has_keys = has_keys
        task = (str(part) for part in (who.dag_id, who.task_id, who.map_index))
        # the tasks of one campaign number their nameless rows each for itself
        self._nameless = run.campaign.prefix + "-" + digest(ledger.key, "rows", *task)[:PREFIX_CHARACTERS]
        self._named = 0
        self._rows: dict[str, NotSent] = {}

    def add(self, message: Message, verdict: Verdict) -> None:
        """One more message is not sent."""
        name = message.foreign_id
        self._rows[name] = NotSent(
            name=name,
            foreign_id=name,
            contact_key=message.contact_key if message.contact_key != message.phone.e164 else None,
            number_digest=message.number_digest,
            state=verdict.state,
            reason=verdict.reason,
            rule=verdict.rule,
            opens_at=verdict.opens_at,
        )

    def add_all(self, judgement: Judgement) -> None:
        """The messages of a batch that a rule stopped."""
        for message, verdict in judgement.stopped:
            self.add(message, verdict)

    def add_verdict(self, verdict: Verdict) -> None:
        """One more row makes no message of its own."""
        if verdict.foreign_id is not None:
            name = invalid_name(verdict.foreign_id)
        else:
            self._named += 1
            name = f"{self._nameless}-{self._named}"
        self._rows[name] = NotSent(
            name=name,
            foreign_id=verdict.foreign_id,
            contact_key=verdict.key if self._has_keys else None,
            number_digest=verdict.number_digest,
            state=verdict.state,
            reason=verdict.reason,
        )

    def take(self, *, at_least: int = 1) -> list[NotSent]:
        """The rows that are to be written down now; none if they are fewer."""
        if len(self._rows) < at_least:
            return []
        rows, self._rows = list(self._rows.values()), {}
        return rows

    def keep(self, rows: Sequence[NotSent]) -> None:
        """Write them down; in any thread. A run that is being stopped tries it once.

        :raises LedgerError: the database did not come back in time.
        """
        try:
            if rows:
                keep_verdicts_patiently(self._ledger, self._run, rows=rows, give_up=self._is_stopping)
        except LedgerError:
            if not self._is_stopping():
                raise

    def _is_stopping(self) -> bool:
        return self._control.order is not None
