"""What all stages of one run share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.in_flight import InFlightLimit, RetryQueue
from airflow_provider_dropcowboy.campaign.not_sent import NotSentRows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Unsent
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.transport.pacing import Pace

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Shared:
    """What a run is to do, with what, and how far it is.

    :param unsent: messages that own their number and were not sent.
    :ivar tally: the counts so far.
    :ivar pace: turns for requests; none before the run has a share of the account's connections.
    :ivar retries: claims that wait to be sent once more.
    :ivar in_flight: how many claims may be out.
    :ivar answers: what requests came to, until it is recorded.
    :ivar not_sent: verdicts of rows, until they are in the ledger.
    """

    plan: Plan
    ledger: Ledger
    run: Run
    control: Control
    unsent: Unsent
    clock: Clock
    tally: Tally = field(init=False, default_factory=Tally)
    pace: Pace = field(init=False)
    retries: RetryQueue = field(init=False)
    in_flight: InFlightLimit = field(init=False)
    answers: asyncio.Queue[Answered] = field(init=False, default_factory=asyncio.Queue)
    not_sent: NotSentRows = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(0, rate_per_s=self.plan.rate_per_s)
        self.retries = RetryQueue(self.clock)
        self.in_flight = InFlightLimit(self.plan.concurrency, retries=self.retries)
        has_keys = self.plan.columns.key_column is not None
        self.not_sent = NotSentRows(self.ledger, self.run, who=self.plan.who, has_keys=has_keys, control=self.control)

    async def adjust(self) -> None:
        """Let as many claims be out as the pace carries now."""
        await self.in_flight.adjust(self.pace.connections, self.plan.rate_per_s)


async def in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What ``work`` returns, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)
