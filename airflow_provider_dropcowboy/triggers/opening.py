"""Waits for an opening of calling hours; takes no worker slot."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dropcowboy.clock import utcnow

MAX_SLEEP_S: Final = 60.0
"""The clock is looked at again so often: it may be set, and a machine may have slept."""


class OpeningTrigger(BaseTrigger):
    """Fires at a moment, and hands back what the task left.

    :param opens_at: ISO 8601, aware.
    :param waves: plain values of the task's own: no number, no text, no secret. They travel in the event, since
        ``dag.test`` hands nothing else to the resumed task.
    """

    def __init__(self, opens_at: str, waves: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.opens_at = opens_at
        self.waves = waves

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For Airflow's database."""
        return f"{__name__}.OpeningTrigger", {"opens_at": self.opens_at, "waves": self.waves}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, at the moment."""
        opens_at = datetime.fromisoformat(self.opens_at)
        while (seconds := (opens_at - utcnow()).total_seconds()) > 0:  # noqa: ASYNC110  # nothing sets a clock's event
            await asyncio.sleep(min(seconds, MAX_SLEEP_S))
        yield TriggerEvent(self.waves)
