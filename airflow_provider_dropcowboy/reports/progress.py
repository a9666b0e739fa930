"""How far the results of a campaign have come: what a sensor waits for."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_of
from airflow_provider_dropcowboy.ledger.counts import EXPIRE_AFTER, count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import live_runs
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.states import State

FINAL: Final = (State.DELIVERED, State.FAILED, State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a campaign's sends stand.

    :param is_begun: the ledger knows the campaign.
    :param is_sending: a run of it lives: more may be accepted.
    :param counts: sends by state, ``expired`` among them; not the verdicts of runs.
    """

    campaign: str
    is_begun: bool
    is_sending: bool
    counts: Counter[State]

    @property
    def final(self) -> int:
        """Accepted sends of which the end is known, or that were told nothing for too long."""
        return sum(self.counts[state] for state in FINAL)

    @property
    def accepted(self) -> int:
        """Sends that the vendor took, whatever became of them; one in doubt counts once it is settled."""
        return self.final + self.counts[State.ACCEPTED]

    @property
    def has_results(self) -> bool:
        """Whether a callback told anything of it."""
        return self.counts[State.DELIVERED] + self.counts[State.FAILED] > 0

    @property
    def final_share(self) -> float:
        """Of the accepted sends; 1.0 where there are none."""
        return self.final / self.accepted if self.accepted else 1.0

    @property
    def delivered_share(self) -> float:
        """Of the final sends; 1.0 where there are none."""
        return self.counts[State.DELIVERED] / self.final if self.final else 1.0

    def is_done(self, *, min_final_share: float) -> bool:
        """Whether nobody sends any more, and enough is known."""
        return self.is_begun and not self.is_sending and self.final_share >= min_final_share

    def as_dict(self) -> dict[str, object]:
        """As XCom gives it: counts alone, no row."""
        return {
            "campaign": self.campaign,
            **{state.value: self.counts[state] for state in State if self.counts[state]},
            "final_share": round(self.final_share, 4),
            "delivered_share": round(self.delivered_share, 4),
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[state]} {state}" for state in State if self.counts[state]) or "nothing sent"
        return f"campaign {self.campaign}: {counts}; {self.final} of {self.accepted} accepted sends are final"


def read_progress(ledger: Ledger, account: str, *, campaign: str, expire_after: timedelta = EXPIRE_AFTER) -> Progress:
    """Where the account's sends of a campaign stand, on both channels together; no row of a send is read.

    :param expire_after: an accepted send of which nothing was told for so long, by the full hour, counts as final.
    """
    campaigns = campaigns_of(ledger, account, name=campaign)
    with ledger.reading() as connection:
        at = now(connection)
        ids = [each.id for each in campaigns]
        standing = count_standing(connection, ids, at=at, expire_after=expire_after)
        return Progress(
            campaign=campaign,
            is_begun=bool(campaigns),
            is_sending=_is_sending(connection, campaigns, at),
            counts=sum(standing.values(), Counter()),
        )


def _is_sending(connection: sa.Connection, campaigns: list[Campaign], at: datetime) -> bool:
    is_of_one = RUNS.c.campaign_id.in_([campaign.id for campaign in campaigns])
    live = sa.select(RUNS.c.id).where(is_of_one, live_runs(at))
    return connection.execute(live.limit(1)).first() is not None
