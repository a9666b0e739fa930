"""Waits in the triggerer until a contact list has enough contacts."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.hooks.deliveries import look_at_list, may_pass

log = logging.getLogger(__name__)


class DropCowboyContactListTrigger(BaseTrigger):
    """Fires once a list has so many contacts, or if that can never be.

    Its arguments are stored by Airflow: ids and figures, no credential and no number.

    :param poke_interval_s: between two looks.
    """

    def __init__(
        self,
        *,
        dropcowboy_conn_id: str,
        list_name: str | None,
        list_id: str | None,
        min_count: int,
        poke_interval_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.list_name = list_name
        self.list_id = list_id
        self.min_count = min_count
        self.poke_interval_s = poke_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow stores it."""
        return (
            f"{__name__}.{type(self).__name__}",
            {
                "dropcowboy_conn_id": self.dropcowboy_conn_id,
                "list_name": self.list_name,
                "list_id": self.list_id,
                "min_count": self.min_count,
                "poke_interval_s": self.poke_interval_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"error": None, "list_id", "contact_count"}``, or what makes waiting useless."""
        from asgiref.sync import sync_to_async

        # a thread of its own: a slow vendor holds up no other trigger
        look = sync_to_async(look_at_list, thread_sensitive=False)
        while True:
            try:
                found = await look(self.dropcowboy_conn_id, list_name=self.list_name, list_id=self.list_id)
            except DropCowboyError as error:
                if not may_pass(error):
                    yield TriggerEvent({"error": str(error)})
                    return
                log.warning("the list could not be looked at, looking again: %s", error)
            else:
                if found is not None and found.contact_count >= self.min_count:
                    yield TriggerEvent({"error": None, "list_id": found.list_id, "contact_count": found.contact_count})
                    return
            await asyncio.sleep(self.poke_interval_s)
