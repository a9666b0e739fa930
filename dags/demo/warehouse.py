"""A made-up warehouse of the kind that people have: most rows are good, and some are not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

CONTACTS: Final = 5_000

AREA_CODES: Final = (
    202, 203, 205, 206, 207, 208, 210, 212, 213, 214, 215, 216, 225, 228, 251, 256, 267, 270, 281, 303, 304, 305, 307,
    309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 330, 334, 337, 360, 401, 402, 404, 405, 406, 407, 408,
    410, 412, 414, 415, 417, 419, 423, 425, 501, 502, 503, 504, 505, 508,
)  # fmt: skip
"""With 555-0100 to 555-0199 they make numbers that nobody has: North America keeps those for made-up people."""

NOTATIONS: Final = (
    "+1{area}{exchange}{line}",
    "({area}) {exchange}-{line}",
    "{area}-{exchange}-{line}",
    "{area}.{exchange}.{line}",
    "1 {area} {exchange} {line}",
    "{area}{exchange}{line}",
)
UNUSABLE: Final = (None, "", "n/a", "ask at the desk", "555-0142", "(504) 555-01", "504-555-0142 or 504-555-0143")
FIRST_NAMES: Final = (
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eve",
    "Finn",
    "Gus",
    "Hana",
    "Ida",
    "Jon",
    "Kim",
    "Lea",
    "Max",
    None,
)
POSTAL_CODES: Final = ("70112", "10001", "60601", "2108", "94103-1234", "", None)  # 2108: a zero that a sheet has lost

TABLES: Final = """
CREATE TABLE due_today (contact_id INTEGER, phone TEXT, postal_code TEXT, first_name TEXT, consented TEXT);
CREATE TABLE appointments (contact_id INTEGER, phone TEXT, remind_on TEXT, consented BOOLEAN);
"""

Row = tuple[object, ...]


def make_warehouse(path: Path, *, first_day: date) -> None:
    """A SQLite file with the tables of the example DAGs: ``due_today``, and ``appointments`` of two weeks.

    The same rows each time: a second demo is to find the people of the first.
    """
    due = list(_due_today(Random(1)))  # the seed of a made-up table
    appointments = [
        (contact_id, phone, str(first_day + timedelta(days=index % 14)), consented == "yes")
        for index, (contact_id, phone, _postal_code, _first_name, consented) in enumerate(due[:700])
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLES)
        connection.executemany("INSERT INTO due_today VALUES (?, ?, ?, ?, ?)", due)
        connection.executemany("INSERT INTO appointments VALUES (?, ?, ?, ?)", appointments)


def _due_today(random: Random) -> Iterator[Row]:
    """``CONTACTS`` rows: of a hundred, 3 without a usable number, 6 without consent, 2 twice, 2 under another key."""
    free = [(area, line) for area in AREA_CODES for line in range(100, 200)]
    random.shuffle(free)
    good: list[tuple[int, int, int]] = []
    for contact_id in range(1, CONTACTS + 1):
        area, line = free.pop()
        kind = random.randrange(100)
        consented = "no" if kind < 6 else "yes"
        if 6 <= kind < 9:
            yield _row(random, contact_id, random.choice(UNUSABLE), consented)
        elif 9 <= kind < 11 and good:  # the row is there twice, perhaps from a join
            contact_id, area, line = random.choice(good)
            yield _row(random, contact_id, _written(random, area, line), consented)
        elif 11 <= kind < 13 and good:  # one person with two accounts
            _, area, line = random.choice(good)
            yield _row(random, contact_id, _written(random, area, line), consented)
        else:
            if consented == "yes":
                good.append((contact_id, area, line))
            yield _row(random, contact_id, _written(random, area, line), consented)


def _row(random: Random, contact_id: int, phone: str | None, consented: str) -> Row:
    return contact_id, phone, random.choice(POSTAL_CODES), random.choice(FIRST_NAMES), consented


def _written(random: Random, area: int, line: int) -> str:
    return random.choice(NOTATIONS).format(area=area, exchange=555, line=f"{line:04d}")
