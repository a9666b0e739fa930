"""Waits in the triggerer for the results of a campaign."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.hooks.deliveries import may_pass, open_results

log = logging.getLogger(__name__)


class DropCowboyDeliveryTrigger(BaseTrigger):
    """Fires once enough results of a campaign are known, or if that can never be.

    The ledger is found and read in a thread, all rows in one query. Its arguments are stored by Airflow: ids and
    figures, no credential and no number.

    :param dropcowboy_conn_id: which account, and where its ledger is.
    :param min_final_share: of the accepted sends, 0 to 1.
    :param expire_after_s: an accepted send of which nothing was told for so long counts as final.
    :param poke_interval_s: between two looks.
    """

    def __init__(
        self,
        *,
        dropcowboy_conn_id: str,
        campaign: str,
        min_final_share: float,
        expire_after_s: float,
        poke_interval_s: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's has no types
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.campaign = campaign
        self.min_final_share = min_final_share
        self.expire_after_s = expire_after_s
        self.poke_interval_s = poke_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow stores it."""
        return (
            f"{__name__}.{type(self).__name__}",
            {
                "dropcowboy_conn_id": self.dropcowboy_conn_id,
                "campaign": self.campaign,
                "min_final_share": self.min_final_share,
                "expire_after_s": self.expire_after_s,
                "poke_interval_s": self.poke_interval_s,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: ``{"error": None}``, or what makes waiting useless."""
        from asgiref.sync import sync_to_async

        # a thread of its own: a slow database holds up no other trigger
        look = sync_to_async(self._is_done, thread_sensitive=False)
        while True:
            try:
                if await look():
                    yield TriggerEvent({"error": None})
                    return
            except DropCowboyError as error:
                if not may_pass(error):
                    yield TriggerEvent({"error": str(error)})
                    return
                log.warning("the ledger did not answer, asking it again: %s", error)
            await asyncio.sleep(self.poke_interval_s)

    def _is_done(self) -> bool:
        with open_results(self.dropcowboy_conn_id) as results:
            progress = results.progress(self.campaign, expire_after=timedelta(seconds=self.expire_after_s))
        log.info("%s", progress)
        return progress.is_done(min_final_share=self.min_final_share)
