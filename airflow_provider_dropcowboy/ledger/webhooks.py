"""Signed webhooks in the ledger: events that were seen, the sends they are about, and the secrets that sign them."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import Event
from airflow_provider_dropcowboy.ledger.batch import as_parameter, insert_batch, is_among, names
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.health import MAX_CLOCK_SKEW
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, EVENTS, SENDS, WEBHOOKS
from airflow_provider_dropcowboy.ledger.sends import day_of
from airflow_provider_dropcowboy.phone import Phone, PhoneError
from airflow_provider_dropcowboy.secret import Secret, hmac_sha256
from airflow_provider_dropcowboy.states import State

SEEN_FOR: Final = timedelta(days=7)
"""How long an event is known by its id. The vendor repeats one for six minutes, and advises a day."""

RESULT_WITHIN: Final = timedelta(days=7)
"""From a request to its result: a voicemail waits for the calling window of its recipient."""

ROTATED_FOR: Final = timedelta(minutes=10)
"""How long a secret is accepted after its rotation: the vendor's events that were signed before are on their way."""

log = logging.getLogger(__name__)

_OPEN: Final = (State.CLAIMED.value, State.ACCEPTED.value, State.UNKNOWN.value)


def match_events(
    connection: sa.Connection, key: bytes, events: Collection[Event], *, at: datetime
) -> dict[str, str | None]:
    """Events that were not seen before, by their ids, with the foreign_id of the send that each is about.

    None: it is about no send, or it fits several.
    """
    new = _note(connection, (event.event_id for event in events), at=at)
    sends = _sends_of(connection, key, [event for event in events if event.event_id in new], at=at)
    return {event_id: sends.get(event_id) for event_id in new}


def _note(connection: sa.Connection, event_ids: Iterable[str], *, at: datetime) -> set[str]:
    """Write down events, and forget old ones.

    :returns: those that were not known. Another process that has the same one waits for this transaction.
    """
    connection.execute(EVENTS.delete().where(EVENTS.c.received_at < at - SEEN_FOR))
    insert = insert_batch(EVENTS, connection.dialect.name, ["event_id"], same=["received_at"])
    written = insert.on_conflict_do_nothing(index_elements=["event_id"]).returning(EVENTS.c.event_id)
    # in one order: two receivers do not wait for each other in a circle
    parameters = {"rows": as_parameter((event_id,) for event_id in sorted(set(event_ids))), "received_at": at}
    return set(connection.execute(written, parameters).scalars())


def _sends_of(connection: sa.Connection, key: bytes, events: Sequence[Event], *, at: datetime) -> dict[str, str]:
    """The sends that results are about: foreign_ids by event_id. An event that fits none, or several, is left out.

    It has no foreign_id. It is about the send with its drop_id; else about the one send of its account, number
    and channel that is open and was sent before it happened, by clocks that may differ by ``MAX_CLOCK_SKEW``.
    """
    wanted = {event.event_id: digest for event in events if (digest := _digest(event, key)) is not None}
    if not wanted:
        return {}
    begun_at = sa.func.coalesce(SENDS.c.keyed_at, SENDS.c.claimed_at).label("begun_at")
    found = connection.execute(
        sa.select(
            SENDS.c.foreign_id, SENDS.c.number_digest, SENDS.c.drop_id, SENDS.c.state, CAMPAIGNS.c.account,
            CAMPAIGNS.c.channel, begun_at,
        )
        .join(CAMPAIGNS, CAMPAIGNS.c.id == SENDS.c.campaign_id)
        .where(
            # by the index of attempts; API v1 signs nothing, and its sends have no key
            SENDS.c.claimed_day.between(day_of(at - RESULT_WITHIN) - 1, day_of(at) + 1),
            is_among(SENDS.c.number_digest, connection.dialect.name, parameter="digests"),
            SENDS.c.keyed_at.is_not(None),
        ),
        {"digests": names(sorted(set(wanted.values())), connection.dialect.name)},
    ).all()  # fmt: skip
    matched: dict[str, str] = {}
    for event in events:
        same = [
            row
            for row in found
            if (row.number_digest, row.account, row.channel)
            == (wanted.get(event.event_id), event.account, event.channel and event.channel.value)
        ]
        drop_id = event.result.drop_id if event.result else None
        fitting = [row for row in same if drop_id is not None and row.drop_id == drop_id] or [
            row
            for row in same
            if row.state in _OPEN
            and event.at is not None
            and row.begun_at - MAX_CLOCK_SKEW <= event.at <= row.begun_at + RESULT_WITHIN
        ]
        if len(fitting) == 1:
            matched[event.event_id] = fitting[0].foreign_id
    return matched


def phones_in(event: Event) -> list[Phone]:
    """The numbers of an opt-out that are numbers."""
    return [phone for written in event.opted_out if (phone := _phone(written)) is not None]


def begin_rotation(ledger: Ledger, webhook_id: str) -> None:
    """Drop Cowboy is about to make another secret: the kept one counts until that one is kept.

    Meanwhile the new one may sign already, or be lost with its answer. So no event is refused for good.
    """
    with ledger.writing() as connection:
        connection.execute(WEBHOOKS.update().where(_signs(webhook_id)).values(rotated_at=now(connection)))


def is_rotating(ledger: Ledger) -> bool:
    """Whether a webhook may sign by a secret that is not kept yet."""
    with ledger.reading() as connection:
        return connection.execute(sa.select(WEBHOOKS.c.id).where(~_HAS_CURRENT)).first() is not None


def keep_secret(ledger: Ledger, account: str, *, webhook_id: str, secret: Secret, under: Secret) -> None:
    """Receivers accept this secret from now on, and an earlier one of the webhook for ``ROTATED_FOR``.

    :param under: a callback secret, under which it is sealed.
    """
    with ledger.writing() as connection:
        at = now(connection)
        connection.execute(WEBHOOKS.update().where(_signs(webhook_id)).values(rotated_at=at))
        sealed = seal(secret, under=under)
        connection.execute(WEBHOOKS.insert().values(account=account, webhook_id=webhook_id, secret=sealed))


def kept_secrets(ledger: Ledger, *, keys: Collection[Secret]) -> Mapping[str, tuple[Secret, ...]]:
    """Every signing secret that is accepted now, by account.

    :param keys: the callback secrets, the retired ones too.
    """
    with ledger.reading() as connection:
        at = now(connection)
        rows = connection.execute(
            sa.select(WEBHOOKS.c.account, WEBHOOKS.c.webhook_id, WEBHOOKS.c.secret).where(
                sa.or_(WEBHOOKS.c.rotated_at.is_(None), WEBHOOKS.c.rotated_at > at - ROTATED_FOR, ~_HAS_CURRENT)
            )
        ).all()
    found: dict[str, tuple[Secret, ...]] = {}
    for row in rows:
        secret = unseal(row.secret, keys=keys)
        if secret is None:
            log.warning(
                "the signing secret of webhook %s was sealed under a callback_secret that no connection has: its "
                "events are refused. Run `dropcowboy receiver --register`",
                row.webhook_id,
            )
        else:
            found[row.account] = (*found.get(row.account, ()), secret)
    return found


def reseal(ledger: Ledger, webhook_id: str, *, keys: Sequence[Secret]) -> bool:
    """Whether the webhook's secret is in the ledger; it is sealed under the first key from now on.

    :param keys: the callback secrets; the retired ones after the one in use.
    """
    with ledger.writing() as connection:
        for row in connection.execute(sa.select(WEBHOOKS.c.id, WEBHOOKS.c.secret).where(_signs(webhook_id))).all():
            if (secret := unseal(row.secret, keys=keys)) is not None:
                sealed = seal(secret, under=keys[0])
                connection.execute(WEBHOOKS.update().where(WEBHOOKS.c.id == row.id).values(secret=sealed))
                return True
    return False


_CURRENT: Final = WEBHOOKS.alias()
_HAS_CURRENT: Final = sa.exists().where(_CURRENT.c.webhook_id == WEBHOOKS.c.webhook_id, _CURRENT.c.rotated_at.is_(None))


def _signs(webhook_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(WEBHOOKS.c.webhook_id == webhook_id, WEBHOOKS.c.rotated_at.is_(None))


def _digest(event: Event, key: bytes) -> str | None:
    if event.result is None or event.result.phone_number is None or not event.is_single:
        return None
    phone = _phone(event.result.phone_number)
    return None if phone is None else number_digest(key, phone)


def _phone(written: str) -> Phone | None:
    try:
        return Phone.parse(written, region="US")
    except PhoneError:
        return None


_PURPOSE: Final = b"dropcowboy webhook signing secret"


def seal(secret: Secret, *, under: Secret) -> str:
    """A text that is the secret for those alone who have ``under``."""
    from cryptography.fernet import Fernet

    return Fernet(_key(under)).encrypt(secret.reveal().encode()).decode()


def unseal(sealed: str, *, keys: Iterable[Secret]) -> Secret | None:
    """The secret; None: it was sealed under none of the keys."""
    from cryptography.fernet import Fernet, InvalidToken

    for key in keys:
        try:
            return Secret(Fernet(_key(key)).decrypt(sealed.encode()).decode())
        except InvalidToken:
            continue
    return None


def _key(under: Secret) -> bytes:
    return urlsafe_b64encode(bytes.fromhex(hmac_sha256(under.reveal().encode(), _PURPOSE)))
