"""What a run remembers of its rows, in memory that does not grow: those it has met, and those that it does not send."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Self

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import PREFIX_CHARACTERS, digest
from airflow_provider_dropcowboy.ledger.judgement import LOST, Judgement
from airflow_provider_dropcowboy.ledger.patience import keep_verdicts_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, Who
from airflow_provider_dropcowboy.ledger.verdicts import NotSent, invalid_name
from airflow_provider_dropcowboy.screening.screen import Message, Verdict
from airflow_provider_dropcowboy.states import State


class _OnDisk:
    """Tables on disk, gone when closed. Used by one thread at a time."""

    _TABLES: tuple[str, ...]

    def __init__(self) -> None:
        # an empty file name: SQLite's own temporary file, kept in memory while it is small
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA cache_size = -8192")  # 8 MiB
        for table in self._TABLES:
            self._connection.execute(table)
        self._connection.execute("BEGIN")  # never committed: nobody else reads it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the tables."""
        self._connection.close()


class Seen(_OnDisk):
    """The messages that a run has met, and the numbers of its suppression list; all by their digests.

    Twelve bytes of each digest are kept. That two of a million messages share them has odds of 1 to 10^17; then one of
    them counts as a duplicate and is not sent.
    """

    _TABLES = (
        "CREATE TABLE names (digest BLOB PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE numbers (digest BLOB PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE invalid (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    )

    def __init__(self) -> None:
        super().__init__()
        self.has_numbers = False

    def add(self, foreign_ids: Sequence[str]) -> set[str]:
        """The names that are met for the first time; all of them are known from now on."""
        return self._select(_ADD_NAMES, foreign_ids)

    def met(self, foreign_ids: Sequence[str]) -> set[str]:
        """Those of the names that were met."""
        return self._select(_NAMES, foreign_ids)

    def add_invalid(self, foreign_id: str) -> bool:
        """Whether this is the first row of the message that cannot make it; the message itself stays unmet."""
        return bool(self._select(_ADD_INVALID, [foreign_id]))

    def suppress(self, number_digests: Sequence[str]) -> None:
        """The numbers are on the run's suppression list."""
        self._select(_ADD_NUMBERS, number_digests)
        self.has_numbers = True

    def suppressed(self, number_digests: Sequence[str]) -> set[str]:
        """Those of the numbers that are on the list."""
        return self._select(_NUMBERS, number_digests) if self.has_numbers else set()

    def _select(self, statement: str, digests: Sequence[str]) -> set[str]:
        short = {bytes.fromhex(digest[-2 * _BYTES :]): digest for digest in digests}
        found = self._connection.execute(_BATCH + statement, (len(short), b"".join(short)))
        return {short[key] for (key,) in found}


class Unsent(_OnDisk):
    """Messages of a run that own their number and were not sent: a later message to that number is their duplicate.

    The ledger does not know them, and without them the verdict would depend on which rows came in one batch. Of the
    number's digest, twelve bytes are kept, as in ``Seen``.
    """

    _TABLES = ("CREATE TABLE unsent (number BLOB PRIMARY KEY, foreign_id BLOB, is_held INTEGER) WITHOUT ROWID",)

    def __init__(self) -> None:
        super().__init__()
        self._is_empty = True

    def add(self, messages: Iterable[tuple[Message, State]]) -> None:
        """The numbers are the messages', unless others have them; each message with the state of its row."""
        held: list[str] = []
        others: list[str] = []
        for message, state in messages:
            if state is not State.SUPPRESSED and state is not State.DUPLICATE:  # these own no number
                pair = message.number_digest[-2 * _BYTES :] + message.foreign_id
                (held if state is State.HELD else others).append(pair)
        for pairs, is_held in ((held, True), (others, False)):
            if pairs:
                self._is_empty = False
                self._connection.execute(_ADD_UNSENT, (len(pairs), bytes.fromhex("".join(pairs)), is_held))

    def add_all(self, judgement: Judgement) -> None:
        """The messages of a batch that neither this run nor another one claimed."""
        self.add((message, verdict.state) for message, verdict in judgement.stopped)
        # the ledger has no record of a lost send, which would own the number
        self.add((row.message, row.state) for row in judgement.already if row.reason == LOST)

    def owners(self, number_digests: Sequence[str]) -> dict[str, str]:
        """Whose these numbers are: number digest to foreign_id."""
        if self._is_empty:
            return {}
        short = {bytes.fromhex(digest[-2 * _BYTES :]): digest for digest in number_digests}
        found = self._connection.execute(_BATCH + _OWNERS, (len(short), b"".join(short)))
        return {short[number]: foreign_id.hex() for number, foreign_id in found}

    def held(self) -> Iterator[str]:
        """The foreign_ids that a later wave may send."""
        return (name.hex() for (name,) in self._connection.execute("SELECT foreign_id FROM unsent WHERE is_held"))


_BYTES: Final = 12
# one parameter holds the digests of a whole batch, and SQLite has nothing to parse
_BATCH: Final = """
WITH RECURSIVE place(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM place WHERE n + 1 < ?1),
batch(digest) AS (SELECT substr(?2, n * 12 + 1, 12) FROM place WHERE ?1 > 0)
"""
_ADD_NAMES: Final = "INSERT OR IGNORE INTO names SELECT digest FROM batch RETURNING digest"
_NAMES: Final = "SELECT digest FROM batch WHERE digest IN names"
_ADD_INVALID: Final = "INSERT OR IGNORE INTO invalid SELECT digest FROM batch RETURNING digest"
_ADD_NUMBERS: Final = "INSERT OR IGNORE INTO numbers SELECT digest FROM batch RETURNING digest"
_NUMBERS: Final = "SELECT digest FROM batch WHERE digest IN numbers"
_OWNERS: Final = "SELECT number, foreign_id FROM batch JOIN unsent ON number = digest"
# each pair is 12 bytes of the number and 24 of the name
_ADD_UNSENT: Final = """
WITH RECURSIVE place(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM place WHERE n + 1 < ?1)
INSERT OR IGNORE INTO unsent SELECT substr(?2, n * 36 + 1, 12), substr(?2, n * 36 + 13, 24), ?3 FROM place
"""


WRITE_ROWS: Final = 500


class NotSentRows:
    """Gathers the verdicts of a run's rows; memory holds a few batches. Used in one event loop.

    Rows that another run sent are not among them: they are sends. Rows of another partition are another run's.

    :param has_keys: a column holds the contact keys; else they are numbers, which are not kept here.
    """

    def __init__(self, ledger: Ledger, run: Run, *, who: Who, has_keys: bool, control: Control, clock: Clock) -> None:
        self._ledger = ledger
        self._run = run
        self._control = control
        self._clock = clock
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
                keep_verdicts_patiently(
                    self._ledger, self._run, rows=rows, give_up=self._is_stopping, clock=self._clock
                )
        except LedgerError:
            if not self._is_stopping():
                raise

    def _is_stopping(self) -> bool:
        return self._control.order is not None
