"""What a list is to hold, on disk and not in memory; how that compares with what it holds, and what a sync came to."""

import marshal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, Self

from airflow_provider_dropcowboy.ledger.list_contacts import ContactState, Inside

_TABLES: Final = """
CREATE TABLE wanted (
    place INTEGER PRIMARY KEY, key TEXT UNIQUE, content TEXT, standing TEXT, first_standing TEXT
);
CREATE TABLE names (key TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID;
CREATE TABLE texts (place INTEGER PRIMARY KEY, contact_key TEXT, cells BLOB);
CREATE TABLE inside (key TEXT PRIMARY KEY, content TEXT, before TEXT, state TEXT, restated TEXT) WITHOUT ROWID;
CREATE TABLE suppressed (number TEXT PRIMARY KEY) WITHOUT ROWID;
"""


# an older release named a contact by another notation of its key: it stays in the list under that name
_TAKE_NAMES_INSIDE: Final = """
UPDATE OR IGNORE wanted SET key = (SELECT key FROM names JOIN inside USING (key) WHERE names.place = wanted.place)
WHERE place IN (SELECT place FROM names JOIN inside USING (key))
AND NOT EXISTS (SELECT 1 FROM inside WHERE inside.key = wanted.key)
"""
_CONTENT: Final = "(SELECT content FROM wanted WHERE wanted.key = inside.key)"
# and its digest of the values depended on the order of the fields and on how the source wrote a value; it is made only
# of contacts whose values seem to have changed
_RESTATE: Final = tuple(
    f"UPDATE inside SET {kept}{column} = {_CONTENT} WHERE CASE WHEN {column} <> {_CONTENT} THEN {column} = ("  # noqa: S608
    "SELECT older_content(cells) FROM wanted JOIN texts USING (place) WHERE wanted.key = inside.key) END"
    for column, kept in (("content", "restated = content, "), ("before", ""))
)


class Standing(StrEnum):
    """How a wanted contact stands to a list."""

    ADDED = "added"  # not in it
    CHANGED = "changed"  # in it with other values
    UNCHANGED = "unchanged"  # in it as wanted
    REJECTED = "rejected"  # refused by the vendor, with these values
    UNKNOWN = "unknown"  # in doubt


_STANDING: Final = f"""
UPDATE wanted SET standing = coalesce((
    SELECT CASE
        WHEN inside.state = 'accepted' AND inside.content = wanted.content THEN '{Standing.UNCHANGED}'
        WHEN inside.state = 'accepted' THEN '{Standing.CHANGED}'
        WHEN inside.state <> 'rejected' THEN '{Standing.UNKNOWN}'
        WHEN inside.content = wanted.content THEN '{Standing.REJECTED}'
        WHEN inside.before = wanted.content THEN '{Standing.UNCHANGED}'
        WHEN inside.before IS NOT NULL THEN '{Standing.CHANGED}'
        ELSE '{Standing.ADDED}' END
    FROM inside WHERE inside.key = wanted.key
), '{Standing.ADDED}')
"""  # noqa: S608  # our own words


@dataclass(frozen=True, slots=True)
class WantedContact:
    """One contact to append.

    :param values: one a field.
    :param other_keys: key digests under which an older release may have put the contact into the list.
    """

    key_digest: str
    content_digest: str
    contact_key: str = field(repr=False)
    values: list[str | None] = field(repr=False)
    other_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is wanted, against what is in a list.

    :param standings: of the wanted contacts; they add up to their number.
    :param removed: contacts in the list, or perhaps in it, that are not wanted.
    :param inside: contacts in the list.
    :param stale: contacts of which the ledger cannot say that the list holds their values.
    """

    standings: Counter[Standing]
    removed: int
    inside: int
    stale: int

    @property
    def only_grows(self) -> bool:
        """Appending what is missing makes the list what is wanted."""
        return not (self.removed or self.stale or self.standings[Standing.CHANGED])

    @property
    def is_same(self) -> bool:
        """The list is what is wanted, but for what the vendor refused."""
        return self.only_grows and not self.standings[Standing.ADDED]


def _values(cells: bytes) -> list[str | None]:
    values: list[str | None] = marshal.loads(cells)  # noqa: S302  # no one else can write to the file
    return values


class Wanted:
    """The contacts of a source, each key once, in a temporary SQLite file that is gone when closed. For one thread."""

    def __init__(self) -> None:
        # an empty file name: SQLite's own temporary file, kept in memory while it is small
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA cache_size = -16384")  # 16 MiB, however many contacts
        self._connection.executescript(_TABLES)
        self.define_older_content(lambda _values: None)
        self._connection.execute("BEGIN")  # never committed: nobody else reads it
        self._places = 0
        self._has_suppressed = False
        self.count = 0

    def define_older_content(self, digest: Callable[[Sequence[str | None]], str | None]) -> None:
        """Say which ``content_digest`` an older release made of a contact's values."""
        self._connection.create_function("older_content", 1, lambda cells: digest(_values(cells)))

    def add(self, contacts: Sequence[WantedContact]) -> int:
        """Add contacts; one whose key came before is left out.

        :returns: how many were left out.
        """
        first, self._places = self._places, self._places + len(contacts)
        placed = list(enumerate(contacts, first))
        added = self._connection.executemany(
            f"INSERT OR IGNORE INTO wanted VALUES (?, ?, ?, '{Standing.ADDED}', '{Standing.ADDED}')",  # noqa: S608
            [(place, one.key_digest, one.content_digest) for place, one in placed],
        ).rowcount
        self._connection.executemany(
            "INSERT OR IGNORE INTO names VALUES (?, ?)",
            [(name, place) for place, one in placed if one.other_keys for name in (one.key_digest, *one.other_keys)],
        )
        self._connection.executemany(
            "INSERT INTO texts VALUES (?, ?, ?)",
            [(place, one.contact_key, marshal.dumps(one.values)) for place, one in placed],
        )
        self.count += added
        return len(contacts) - added

    def suppress(self, number_digest: str) -> None:
        """Keep a number out of the list."""
        self._has_suppressed = True
        self._connection.execute("INSERT OR IGNORE INTO suppressed VALUES (?)", (number_digest,))

    def suppressed_among(self, number_digests: Iterable[str]) -> set[str]:
        """Those of the numbers that are kept out."""
        if not self._has_suppressed:
            return set()
        statement = "SELECT 1 FROM suppressed WHERE number = ?"
        return {number for number in number_digests if self._connection.execute(statement, (number,)).fetchone()}

    def compare(self, contents: Iterable[Inside]) -> Comparison:
        """How what is wanted stands to what is in a list.

        :param contents: each key once.
        """
        self._connection.execute("DELETE FROM inside")
        self._connection.executemany(
            "INSERT INTO inside VALUES (?, ?, ?, ?, NULL)",
            ((one.key_digest, one.content_digest, one.content_before, one.state.value) for one in contents),
        )
        for statement in (_TAKE_NAMES_INSIDE, *_RESTATE, _STANDING):
            self._connection.execute(statement)
        standings = Counter(self._counts("standing"))
        is_in = "state <> 'rejected' OR before IS NOT NULL"
        return Comparison(
            standings=standings,
            removed=self._one(f"SELECT count(*) FROM inside WHERE ({is_in}) AND {_CONTENT} IS NULL"),  # noqa: S608
            inside=self._one("SELECT count(*) FROM inside WHERE state = 'accepted'"),
            stale=self._one(
                "SELECT count(*) FROM inside WHERE state NOT IN ('accepted', 'rejected') "
                "OR (state = 'rejected' AND before IS NOT NULL)"
            ),
        )

    def restated(self) -> Iterator[tuple[str, str, str]]:
        """Contacts in the list whose values an older release wrote down: key, its digest of them, and theirs now."""
        yield from self._connection.execute("SELECT key, restated, content FROM inside WHERE restated IS NOT NULL")

    def remember(self) -> None:
        """How the contacts stand now is how they stood before the sync, for its summary."""
        self._connection.execute("UPDATE wanted SET first_standing = standing")

    def outcome(self, odd: Iterable[tuple[str, ContactState]]) -> Counter[Standing]:
        """What the sync came to, by what the contacts were before.

        :param odd: key digests of those who were refused, or are in doubt.
        """
        counts = Counter(self._counts("first_standing"))
        for digest, state in odd:
            row = self._connection.execute("SELECT first_standing FROM wanted WHERE key = ?", (digest,)).fetchone()
            # a row that was in doubt or refused before, and has other values in the list, is counted as it was
            if row is not None and row[0] in {Standing.ADDED, Standing.CHANGED, Standing.UNCHANGED}:
                became = Standing.REJECTED if state is ContactState.REJECTED else Standing.UNKNOWN
                counts[Standing(row[0])] -= 1
                counts[became] += 1
        return counts

    def chunks(self, standings: Iterable[Standing], *, chunk_rows: int) -> Iterator[list[WantedContact]]:
        """The contacts that stand so, in the order of the source, a chunk at a time."""
        among = ", ".join(f"'{standing}'" for standing in standings)
        statement = (
            "SELECT wanted.place, key, content, contact_key, cells FROM wanted JOIN texts USING (place) "  # noqa: S608
            f"WHERE standing IN ({among}) AND wanted.place > ? ORDER BY wanted.place LIMIT ?"
        )
        last = -1
        while rows := self._connection.execute(statement, (last, chunk_rows)).fetchall():
            last = rows[-1][0]
            yield [WantedContact(key, content, name, _values(cells)) for _, key, content, name, cells in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _counts(self, column: str) -> dict[Standing, int]:
        rows = self._connection.execute(f"SELECT {column}, count(*) FROM wanted GROUP BY 1")  # noqa: S608
        return {Standing(name): count for name, count in rows}

    def _one(self, statement: str) -> int:
        return int(self._connection.execute(statement).fetchone()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSummary:
    """Counts of one sync. ``added`` to ``duplicate`` add up to ``read``.

    :param list_id: the vendor's id of the list now.
    :param contact_count: what the list holds now, by the vendor's answers.
    :param changed: rows whose values changed; mode append keeps the old ones, unless ``on_change`` says otherwise.
    :param unchanged: rows that were in the list before.
    :param rejected: rows that the vendor refused, now or before with the same values.
    :param unknown: rows that may be in the list, and are not appended again.
    :param removed: contacts that are not in the list any more.
    :param appends: calls that appended, tried ones too.
    :param calls: all calls.
    :param left_over: names of empty lists that may be there: the answers to their creating were lost.
    """

    list_name: str
    list_id: str | None
    read: int
    added: int
    changed: int
    unchanged: int
    rejected: int
    unknown: int
    invalid: int
    suppressed: int
    duplicate: int
    removed: int
    contact_count: int
    appends: int
    calls: int
    is_rebuilt: bool
    left_over: tuple[str, ...]
    seconds: float
    unreadable_suppressions: int = 0

    def counts(self) -> dict[str, int]:
        """The counts alone."""
        given = asdict(self)
        names = list(given)
        return {name: given[name] for name in names[names.index("read") : names.index("is_rebuilt")]}

    def as_dict(self) -> dict[str, object]:
        """As XCom and JSON have it."""
        given = asdict(self) | {"left_over": list(self.left_over), "seconds": round(self.seconds, 3)}
        return {name: value for name, value in given.items() if name != "unreadable_suppressions" or value}

    def __str__(self) -> str:
        of_rows = islice(self.counts().items(), 1, 9)
        counts = ", ".join(f"{count} {name}" for name, count in of_rows if count) or "nothing"
        rows = "1 row" if self.read == 1 else f"{self.read} rows"
        how = "rebuilt" if self.is_rebuilt else "in place"
        return (
            f"contact list {self.list_name} ({self.list_id}), {how}: {rows} read: {counts}; {self.removed} removed; "
            f"the list holds {self.contact_count}; {self.seconds:.1f} s, API calls: {self.calls}"
        )
