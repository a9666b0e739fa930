"""How often a number was called of late, over all campaigns of the ledger; exact, since it is read under the lock."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, Self

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import is_among, names
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.states import BINDING

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(at: datetime) -> int:
    """Days since 1970, UTC."""
    return (at - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was asked of some numbers in the longest time that any cap looks back."""

    at: datetime
    repeat_window: timedelta | None
    rows: dict[str, list[Any]]

    @classmethod
    def of(
        cls, connection: sa.Connection, messages: Sequence[Message], repeat_window: timedelta | None, *, at: datetime
    ) -> Self:
        """The attempts on the messages' numbers; nothing is read if nothing caps them."""
        windows = [window for message in messages for _count, window in message.caps]
        if repeat_window is not None:
            windows.append(repeat_window)
        rows: dict[str, list[Any]] = defaultdict(list)
        if windows:
            since = at - max(windows)
            dialect = connection.dialect.name
            digests = names([message.number_digest for message in messages], dialect)
            days = range(day_of(since), day_of(at) + 1)
            found = connection.execute(_attempts(dialect), {"digests": digests, "days": days})
            for row in found:
                rows[row.number_digest].append(row)
        return cls(at, repeat_window, rows)

    def cap(self, message: Message, campaign_id: int) -> str | None:
        """Why the number is not called now; None: it may be."""
        rows = self.rows.get(message.number_digest, ())
        for count, window in message.caps:
            if sum(row.claimed_at > self.at - window for row in rows) >= count:
                return f"{count} attempts on the number within {_text(window)}"
        if self.repeat_window is not None and any(
            row.content_digest == message.content_digest
            and row.campaign_id != campaign_id
            and row.claimed_at > self.at - self.repeat_window
            for row in rows
        ):
            return f"the same content went to the number within {_text(self.repeat_window)}, in another campaign"
        return None


@cache
def _attempts(dialect: str) -> sa.Select[Any]:
    return sa.select(SENDS.c.number_digest, SENDS.c.claimed_at, SENDS.c.content_digest, SENDS.c.campaign_id).where(
        SENDS.c.claimed_day.in_(sa.bindparam("days", expanding=True)),
        is_among(SENDS.c.number_digest, dialect, parameter="digests"),
        SENDS.c.state.in_(sorted(BINDING)),
    )


def _text(window: timedelta) -> str:
    hours = window.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
