"""Campaigns by the name that a person types."""

from difflib import get_close_matches
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import spell_account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Campaign, read_campaigns
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS

MAX_SIMILAR: Final = 5
LEAST_SIMILARITY: Final = 0.4  # of difflib's ratio, 0 to 1


def find_campaigns(
    ledger: Ledger, name: str, *, account: str | None = None, channel: Channel | None = None
) -> list[Campaign]:
    """The campaigns of a name, one a channel; more where the account was spelled in several ways.

    :param account: team id @ host; None: only one account has a campaign of that name.
    :param channel: None: both.
    :raises ConfigurationError: there is none, or several accounts have one; the text names what there is.
    """
    with ledger.reading() as connection:
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
            raise ConfigurationError(f"There is no such campaign {name!r}; there is: {there}.")
        raise ConfigurationError(f"The ledger knows no campaign {name!r}. {_similar(connection, name)}")


def campaigns_of(ledger: Ledger, account: str, *, name: str | None = None) -> list[Campaign]:
    """The account's campaigns, with those of its earlier spellings.

    :param name: only of this one; then empty means that nobody of it was ever to be asked.
    """
    own = CAMPAIGNS.c.account == account
    which = [sa.or_(own, CAMPAIGNS.c.merged_into.in_(sa.select(CAMPAIGNS.c.id).where(own)))]
    if name is not None:
        which.append(CAMPAIGNS.c.name == name)
    with ledger.reading() as connection:
        return read_campaigns(connection, *which)


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


def _similar(connection: sa.Connection, name: str) -> str:
    names = connection.execute(sa.select(CAMPAIGNS.c.name).distinct()).scalars().all()
    if not names:
        return "It knows no campaign at all yet: if one has run, look into another ledger."
    similar = get_close_matches(name, names, n=MAX_SIMILAR, cutoff=LEAST_SIMILARITY)
    if not similar:
        return f"None of its {len(names)} campaigns has a similar name."
    return f"Similar names: {', '.join(similar)}."
