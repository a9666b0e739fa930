"""Campaigns: how the ledger knows them, how a person names them, and their pauses."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import spell_account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER

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
        return _named(connection, name, account=account, channel=channel)


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


def _named(
    connection: sa.Connection, name: str, *, account: str | None = None, channel: Channel | None = None
) -> list[Campaign]:
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


@dataclass(frozen=True, slots=True)
class Pauses:
    """What is paused in a ledger.

    :param all_since: since when all campaigns are; None: they are not.
    :param campaigns: those that are paused by themselves.
    """

    all_since: datetime | None
    campaigns: Sequence[Campaign]


def pause_campaign(ledger: Ledger, name: str, *, account: str | None = None) -> list[Campaign]:
    """Nobody of the campaign is claimed from now on; runs under way stop at their next claim or heartbeat.

    A campaign that was paused before stays paused since then. One name on both channels is paused on both.

    :param account: team id @ host; None: only one account has a campaign of that name.
    :raises ConfigurationError: there is no such campaign, or several accounts have one; nothing is changed.
    """
    with ledger.writing() as connection:
        is_one = CAMPAIGNS.c.id.in_([campaign.id for campaign in _named(connection, name, account=account)])
        fresh = CAMPAIGNS.update().where(is_one, CAMPAIGNS.c.paused_at.is_(None))
        connection.execute(fresh.values(paused_at=now(connection)))
        return read_campaigns(connection, is_one)


def resume_campaign(ledger: Ledger, name: str, *, account: str | None = None) -> list[Campaign]:
    """The campaign's own pause is over; a pause of all campaigns still holds.

    :returns: the campaigns as they were: since when each was paused.
    :raises ConfigurationError: as ``pause_campaign``.
    """
    with ledger.writing() as connection:
        found = _named(connection, name, account=account)
        is_one = CAMPAIGNS.c.id.in_([campaign.id for campaign in found])
        connection.execute(CAMPAIGNS.update().where(is_one).values(paused_at=None))
        return found


def pause_all(ledger: Ledger) -> datetime:
    """Nobody of any campaign is claimed from now on, whatever its account.

    :returns: since when; an earlier pause stays.
    """
    with ledger.writing() as connection:
        at = now(connection)
        connection.execute(LEDGER.update().where(LEDGER.c.paused_at.is_(None)).values(paused_at=at))
        since: datetime = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        return since


def resume_all(ledger: Ledger) -> datetime | None:
    """End the pause of all campaigns. A campaign that is paused by itself stays so.

    :returns: since when all were paused; None: they were not.
    """
    with ledger.writing() as connection:
        since: datetime | None = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        connection.execute(LEDGER.update().values(paused_at=None))
        return since


def read_pauses(ledger: Ledger) -> Pauses:
    """What is paused now."""
    with ledger.reading() as connection:
        since: datetime | None = connection.execute(sa.select(LEDGER.c.paused_at)).scalar_one()
        paused = read_campaigns(connection, CAMPAIGNS.c.paused_at.is_not(None))
        return Pauses(since, sorted(paused, key=lambda campaign: campaign.name))
