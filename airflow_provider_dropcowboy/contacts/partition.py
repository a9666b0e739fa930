"""Cutting one source into parts for several tasks."""

import re
from dataclasses import dataclass
from hashlib import md5
from typing import Final, Self

from airflow_provider_dropcowboy.errors import ConfigurationError

_PARTITION: Final = re.compile(r"\s*([0-9]+)\s*/\s*([0-9]+)\s*")


@dataclass(frozen=True, slots=True)
class Partition:
    """Part ``index`` of ``count`` (1-based) of a source, by contact key.

    Rows are left out after they are read, so each part reads the whole source. A query can leave them out itself by the
    same rule; in PostgreSQL, where ``id`` is an integer or canonical text:

    ``WHERE ('x' || left(md5(id::text), 7))::bit(28)::int % 8 + 1 = 3``
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ConfigurationError(f"partition {self} does not exist: parts are counted from 1/{self.count}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The part written as ``3/8``.

        :raises ConfigurationError: written otherwise, or no such part.
        """
        written = _PARTITION.fullmatch(text)
        if not written:
            raise ConfigurationError(f'partition={text!r} cannot be read. Write part and number of parts, like "3/8".')
        return cls(int(written[1]), int(written[2]))

    def has(self, key: str | None) -> bool:
        """Whether a contact belongs to this part; each belongs to exactly one of a count.

        :param key: canonical contact key; None (a row without a usable key) belongs to part 1: it is counted once.
        """
        if key is None:
            return self.index == 1
        # md5, because every database has it; seven hex digits, because they fit a signed 32-bit integer
        digest = md5(key.encode(), usedforsecurity=False).hexdigest()
        return int(digest[:7], 16) % self.count == self.index - 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def partitions(count: int) -> list[str]:
    """All parts of a source, as ``partition=`` takes them: ``["1/3", "2/3", "3/3"]``; for ``.expand(partition=…)``.

    :raises ConfigurationError: fewer than one part.
    """
    if count < 1:
        raise ConfigurationError(f"A source cannot be cut into {count} parts; it takes at least 1.")
    return [str(Partition(index, count)) for index in range(1, count + 1)]
