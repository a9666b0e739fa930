"""What a campaign may still send and spend, whatever the try and the partition."""

from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many sends are left, and what will have ended them."""

    sends: int
    reason: str


def read_allowance(
    connection: sa.Connection,
    campaign: Campaign,
    *,
    limit: int | None,
    budget_micros: int | None,
    price_micros: int | None,
) -> Allowance | None:
    """What is left under the account's lock; None: nothing limits the campaign.

    A send counts from its claim until it was surely not taken. Callbacks' real costs are counted beyond the price.
    """
    if limit is None and budget_micros is None:
        return None
    taken, extra = connection.execute(
        sa.select(CAMPAIGNS.c.taken, CAMPAIGNS.c.extra_micros).where(CAMPAIGNS.c.id == campaign.id)
    ).one()
    left = []
    if limit is not None:
        left.append(Allowance(max(limit - taken, 0), f"over the campaign's limit of {limit}"))
    if budget_micros is not None and price_micros:
        sends = (budget_micros - extra) // price_micros - taken
        left.append(Allowance(max(sends, 0), f"over the campaign's budget of {budget_micros / 1_000_000:g} US dollars"))
    return min(left, key=lambda allowance: allowance.sends, default=None)


def book(connection: sa.Connection, campaign_id: int, *, sends: int, price_micros: int | None = None) -> None:
    """Count sends that the vendor may have taken; negative: surely not."""
    if sends == 0 and price_micros is None:
        return
    values: dict[str, object] = {"taken": CAMPAIGNS.c.taken + sends}
    if price_micros is not None:
        values["price_micros"] = price_micros
    connection.execute(CAMPAIGNS.update().where(CAMPAIGNS.c.id == campaign_id).values(**values))


def book_extra(connection: sa.Connection, campaign_id: int, *, cost_micros: int, sends: int) -> None:
    """Count what sends really cost: what goes beyond, or stays below, their price."""
    price = sa.func.coalesce(CAMPAIGNS.c.price_micros, 0) * sends
    connection.execute(
        CAMPAIGNS.update()
        .where(CAMPAIGNS.c.id == campaign_id, CAMPAIGNS.c.price_micros.is_not(None))
        .values(extra_micros=CAMPAIGNS.c.extra_micros + cost_micros - price)
    )
