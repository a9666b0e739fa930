"""What tasks wait for in the triggerer: results of a campaign, a contact list, and calling hours. No worker is used.

Airflow stores the arguments of a trigger: they are ids and figures, never a credential, a number or a text.
"""

import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.hooks.ledger import look_at_list, may_pass, open_results

MAX_SLEEP_S: Final = 60.0
"""The clock is read again so often: it may be set, and a machine may have slept."""

log = logging.getLogger(__name__)


@dataclass(eq=False, repr=False)
class _Trigger(BaseTrigger):
    """A trigger whose fields are its arguments."""

    def __post_init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The trigger as Airflow's database keeps it."""
        return f"{__name__}.{type(self).__name__}", {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(kw_only=True, eq=False, repr=False)
class _LookingTrigger(_Trigger):
    """Looks again and again until there is something to say.

    :param dropcowboy_conn_id: which account, and where its ledger is.
    :param poke_interval_s: between two looks.
    """

    dropcowboy_conn_id: str
    poke_interval_s: float

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"error": None}`` with what was found, or ``{"error": …}``, which makes waiting useless."""
        from asgiref.sync import sync_to_async

        # a thread of its own: a slow database or vendor holds up no other trigger
        look = sync_to_async(self._look, thread_sensitive=False)
        while True:
            try:
                found = await look()
            except DropCowboyError as error:
                found = None if may_pass(error) else {"error": str(error)}
                if found is None:
                    log.warning("The look failed. The next is in %g s: %s", self.poke_interval_s, error)
            if found is not None:
                yield TriggerEvent(found)
                return
            await asyncio.sleep(self.poke_interval_s)

    @abstractmethod
    def _look(self) -> dict[str, object] | None:
        """What the event says; None: nothing yet."""


@dataclass(kw_only=True, eq=False, repr=False)
class DropCowboyDeliveryTrigger(_LookingTrigger):
    """Fires once enough results of a campaign are known, or if that can never be.

    :param min_final_share: of the accepted sends, 0 to 1.
    :param expire_after_s: an accepted send without a result for so long counts as final.
    """

    campaign: str
    min_final_share: float
    expire_after_s: float

    def _look(self) -> dict[str, object] | None:
        with open_results(self.dropcowboy_conn_id) as results:
            progress = results.progress(self.campaign, expire_after=timedelta(seconds=self.expire_after_s))
        log.info("%s", progress)
        return {"error": None} if progress.is_done(min_final_share=self.min_final_share) else None


@dataclass(kw_only=True, eq=False, repr=False)
class DropCowboyContactListTrigger(_LookingTrigger):
    """Fires once a list has so many contacts, or if that can never be. Its event has ``list_id``, ``contact_count``."""

    list_name: str | None
    list_id: str | None
    min_count: int

    def _look(self) -> dict[str, object] | None:
        found = look_at_list(self.dropcowboy_conn_id, list_name=self.list_name, list_id=self.list_id)
        if found is None or found.contact_count < self.min_count:
            return None
        return {"error": None, "list_id": found.list_id, "contact_count": found.contact_count}


@dataclass(eq=False, repr=False)
class OpeningTrigger(_Trigger):
    """Fires when calling hours open, and hands back what the task left.

    :param opens_at: ISO 8601, aware.
    :param waves: plain values of the task's own. They travel in the event, since ``dag.test`` hands nothing else to the
        resumed task.
    """

    opens_at: str
    waves: dict[str, Any]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, at the moment."""
        opens_at = datetime.fromisoformat(self.opens_at)
        while (seconds := (opens_at - utcnow()).total_seconds()) > 0:  # noqa: ASYNC110  # nothing sets a clock's event
            await asyncio.sleep(min(seconds, MAX_SLEEP_S))
        yield TriggerEvent(self.waves)
