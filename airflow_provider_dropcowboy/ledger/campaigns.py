"""Campaigns: how the ledger knows them, how a person names them, and what each may still send and spend."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Final, TypedDict

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import spell_account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS

MAX_SIMILAR: Final = 5
LEAST_SIMILARITY: Final = 0.4  # of difflib's ratio, 0 to 1


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of one account and channel, as the ledger knows it.

    :param is_new: this call made it: nobody of it was contacted before.
    :param digest_account: how its foreign_ids spell the account; None: as ``account`` does.
    :param earlier: the same campaign under other spellings of the account: who is in one of them is not sent to again.
    :param paused_at: since when it was paused as it was read; None: it was not.
    """

    id: int
    account: str
    name: str
    channel: Channel
    prefix: str
    is_new: bool
    digest_account: str | None = None
    earlier: tuple["Campaign", ...] = ()
    paused_at: datetime | None = field(default=None, compare=False)


def find_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel) -> Campaign | None:
    """The campaign if a run ever claimed a message of it; None: this ledger does not know it."""
    with ledger.reading() as connection:
        return _known(connection, account, name, channel)


def bind_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str) -> Campaign:
    """The campaign, written down now if it is new.

    :param prefix: how its foreign_ids begin; derived from the other three.
    """
    with ledger.claiming(account) as connection:
        if (known := _known(connection, account, name, channel)) is not None:
            return known
        new = {"account": account, "name": name, "channel": channel, "prefix": prefix}
        campaign_id = insert_row(connection, CAMPAIGNS, created_at=now(connection), **new)
        return Campaign(campaign_id, account, name, channel, prefix, True)


def read_campaigns(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Campaign]:
    """The campaigns for which all of it is true, by account and channel; without ``earlier``."""
    found = sa.select(CAMPAIGNS).where(*which).order_by(CAMPAIGNS.c.account, CAMPAIGNS.c.channel)
    return [
        Campaign(
            row.id,
            row.account,
            row.name,
            Channel(row.channel),
            row.prefix,
            is_new=False,
            digest_account=row.digest_account,
            paused_at=row.paused_at,
        )
        for row in connection.execute(found)
    ]


def _known(connection: sa.Connection, account: str, name: str, channel: Channel) -> Campaign | None:
    found = read_campaigns(
        connection, CAMPAIGNS.c.account == account, CAMPAIGNS.c.name == name, CAMPAIGNS.c.channel == channel
    )
    if not found:
        return None
    (campaign,) = found
    return replace(campaign, earlier=tuple(read_campaigns(connection, CAMPAIGNS.c.merged_into == campaign.id)))


def find_campaigns(
    ledger: Ledger, name: str, *, account: str | None = None, channel: Channel | None = None
) -> list[Campaign]:
    """The campaigns of a name, one a channel; more where the account was spelled in several ways.

    :param account: team id @ host; None: only one account has a campaign of that name.
    :param channel: None: both.
    :raises ConfigurationError: there is none, or several accounts have one; the text names what there is.
    """
    with ledger.reading() as connection:
        return campaigns_named(connection, name, account=account, channel=channel)


def campaigns_of(ledger: Ledger, account: str, *, name: str | None = None) -> list[Campaign]:
    """The account's campaigns, with those of its earlier spellings.

    :param name: only of this one; then empty means that no message of it was ever claimed.
    """
    own = CAMPAIGNS.c.account == account
    which = [sa.or_(own, CAMPAIGNS.c.merged_into.in_(sa.select(CAMPAIGNS.c.id).where(own)))]
    if name is not None:
        which.append(CAMPAIGNS.c.name == name)
    with ledger.reading() as connection:
        return read_campaigns(connection, *which)


def accounts_with(ledger: Ledger, *, name: str, channel: Channel) -> list[str]:
    """The accounts that have such a campaign."""
    with ledger.reading() as connection:
        named = read_campaigns(connection, CAMPAIGNS.c.name == name, CAMPAIGNS.c.channel == channel)
    return list(dict.fromkeys(campaign.account for campaign in named))


def other_names(ledger: Ledger, account: str, *, team_id: str) -> dict[str, int]:
    """Under which other names the ledger knows campaigns of the team, and how many of each.

    :returns: without the spellings that were merged into one of ``account``.
    """
    with ledger.reading() as connection:
        rows = connection.execute(
            sa.select(CAMPAIGNS.c.account, sa.func.count().label("campaigns"))
            .where(
                CAMPAIGNS.c.account.startswith(f"{team_id}@", autoescape=True),
                CAMPAIGNS.c.account != account,
                CAMPAIGNS.c.merged_into.is_(None),
            )
            .group_by(CAMPAIGNS.c.account)
            .order_by(CAMPAIGNS.c.account)
        )
        return {row.account: row.campaigns for row in rows}


def campaigns_named(
    connection: sa.Connection, name: str, *, account: str | None = None, channel: Channel | None = None
) -> list[Campaign]:
    """``find_campaigns``, within a transaction."""
    named = read_campaigns(connection, CAMPAIGNS.c.name == name)
    found = [
        campaign
        for campaign in named
        if spell_account(campaign.account) == spell_account(account or campaign.account)
        and campaign.channel == (channel or campaign.channel)
    ]
    accounts = sorted({spell_account(campaign.account) for campaign in found})
    if len(accounts) > 1:
        raise ConfigurationError(
            f"Several accounts have a campaign {name!r}: {', '.join(accounts)}. Name one of them (--account)."
        )
    if found:
        return found
    if named:
        there = ", ".join(f"{campaign.channel} of {campaign.account}" for campaign in named)
        whose = f"Account {account!r} has" if account else "There is"
        raise ConfigurationError(f"{whose} no such campaign {name!r}; there is: {there}.")
    raise ConfigurationError(f"The ledger knows no campaign {name!r}. {_similar(connection, name)}")


def _similar(connection: sa.Connection, name: str) -> str:
    names = connection.execute(sa.select(CAMPAIGNS.c.name).distinct()).scalars().all()
    if not names:
        return "It knows no campaign at all yet: if one has run, look into another ledger."
    similar = get_close_matches(name, names, n=MAX_SIMILAR, cutoff=LEAST_SIMILARITY)
    if not similar:
        return f"None of its {len(names)} campaigns has a similar name."
    return f"Similar names: {', '.join(similar)}."


class Limits(TypedDict):
    """What a campaign may send, and spend in millionths of a US dollar; None: no limit."""

    limit: int | None
    budget_micros: int | None
    price_micros: int | None


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
    foreseen: int = 0,
) -> Allowance | None:
    """What is left under the account's lock; None: nothing limits the campaign.

    A send counts from its claim, unless it is known that it was not accepted. Real costs beyond the price count too, as
    callbacks bring them.

    :param foreseen: sends that a preview has counted so far.
    """
    if limit is None and budget_micros is None:
        return None
    booked = connection.execute(
        sa.select(CAMPAIGNS.c.taken, CAMPAIGNS.c.extra_micros).where(CAMPAIGNS.c.id == campaign.id)
    ).one_or_none()
    taken, extra = booked or (0, 0)  # none: a preview of a campaign that was never begun
    return allowance_after(
        taken + foreseen,
        extra_micros=extra,
        limit=limit,
        budget_micros=budget_micros,
        price_micros=price_micros,
    )


def allowance_after(
    taken: int, extra_micros: int = 0, *, limit: int | None, budget_micros: int | None, price_micros: int | None
) -> Allowance | None:
    """What is left after so many sends, which cost so much beyond their price; None: nothing limits it."""
    left = []
    if limit is not None:
        left.append(Allowance(max(limit - taken, 0), f"over the campaign's limit of {limit}"))
    if budget_micros is not None and price_micros:
        sends = (budget_micros - extra_micros) // price_micros - taken
        left.append(Allowance(max(sends, 0), f"over the campaign's budget of {budget_micros / 1_000_000:g} US dollars"))
    return min(left, key=lambda allowance: allowance.sends, default=None)


def book(connection: sa.Connection, campaign_id: int, *, sends: int, price_micros: int | None = None) -> None:
    """Count sends that the vendor may have accepted; negative: those that it did not accept."""
    if sends == 0 and price_micros is None:
        return
    connection.execute(_BOOK, {"b_id": campaign_id, "b_sends": sends, "b_price": price_micros})


def book_extra(connection: sa.Connection, campaign_id: int, *, cost_micros: int, sends: int) -> None:
    """Count what sends really cost: what goes beyond, or stays below, their price."""
    connection.execute(_BOOK_EXTRA, {"b_id": campaign_id, "b_cost": cost_micros, "b_sends": sends})


# built once: each is part of every batch
_BOOK: Final = (
    CAMPAIGNS.update()
    .where(CAMPAIGNS.c.id == sa.bindparam("b_id"))
    .values(
        taken=CAMPAIGNS.c.taken + sa.bindparam("b_sends", type_=sa.Integer),
        price_micros=sa.func.coalesce(sa.bindparam("b_price", type_=sa.BigInteger), CAMPAIGNS.c.price_micros),
    )
)
_BOOK_EXTRA: Final = (
    CAMPAIGNS.update()
    .where(CAMPAIGNS.c.id == sa.bindparam("b_id"), CAMPAIGNS.c.price_micros.is_not(None))
    .values(
        extra_micros=CAMPAIGNS.c.extra_micros
        + sa.bindparam("b_cost", type_=sa.BigInteger)
        - CAMPAIGNS.c.price_micros * sa.bindparam("b_sends", type_=sa.Integer)
    )
)
