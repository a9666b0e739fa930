"""Each send with what became of it, on both databases."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.settling import settle_unknown
from airflow_provider_dropcowboy.reports.deliveries import (
    CHUNK_ROWS,
    COLUMNS,
    LATE_COMMIT,
    Delivery,
    read_campaign,
    read_changed,
)
from tests.integration.sent import ACCOUNT, Sent, age, phone


def clock(ledger: Ledger) -> datetime:
    with ledger.reading() as connection:
        return now(connection)


def changed(ledger: Ledger, *, since: datetime) -> set[str | None]:
    return {delivery.contact_key for delivery in read_changed(ledger, ACCOUNT, since=since)}


def test_the_columns_are_the_documented_ones() -> None:
    assert ", ".join(COLUMNS) == (
        "campaign, channel, contact_key, phone_number, foreign_id, state, reason, claimed_at, answered_at, final_at, "
        "drop_id, cost_usd, network"
    )


def test_a_send_is_told_with_all_that_is_known_of_it(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.tell(1, status="failure", reason="Voicemail box full", product_cost=0.099, network={"name": "Verizon"})
    (row,) = read_campaign(ledger, sent.campaign)
    assert (row.campaign, row.channel, row.contact_key, row.phone_number) == ("spring", "rvm", "1", phone(1).e164)
    assert (row.state, row.reason, row.drop_id) == ("failed", "Voicemail box full", "d1")
    assert (row.cost_usd, row.network) == (Decimal("0.099"), "Verizon")
    assert row.answered_at is not None
    assert row.final_at is not None
    assert row.claimed_at is not None
    assert row.claimed_at <= row.answered_at <= row.final_at
    assert phone(1).e164 not in repr(row)


def test_states_are_told_as_they_are_counted(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.claim(2)
    age(ledger, timedelta(hours=73))
    told = {row.contact_key: row.state for row in read_campaign(ledger, sent.campaign)}
    assert told == {"1": "expired", "2": "unknown"}


def test_a_campaign_of_many_chunks_is_told_whole_and_once(ledger: Ledger, sent: Sent) -> None:
    many = 2 * CHUNK_ROWS + 50
    sent.ask(range(many))
    Sent(ledger, "autumn").ask(range(50))
    told: list[Delivery] = list(read_campaign(ledger, sent.campaign))
    assert sorted(int(str(row.contact_key)) for row in told) == list(range(many))


def test_what_changed_is_what_was_asked_told_settled_or_has_expired_since(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(6), outcome=Outcome.ACCEPTED)
    sent.ask([6], outcome=Outcome.UNKNOWN)
    age(ledger, timedelta(hours=71))
    Sent(ledger, account="trial@127.0.0.1").ask([20])
    since = clock(ledger) + LATE_COMMIT
    assert changed(ledger, since=since) == set()
    assert changed(ledger, since=since - timedelta(days=4)) == {str(key) for key in range(7)}
    sent.tell(0)
    settle_unknown(ledger, sent.campaign, is_sent=False, reason="not in their log")
    Sent(ledger).ask([7])
    assert changed(ledger, since=since) == {"0", "6", "7"}
    expired_at = clock(ledger).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with ledger.writing() as connection:
        connection.execute(
            SENDS.update()
            .where(SENDS.c.foreign_id == sent.foreign_id(1))
            .values(answered_at=expired_at - timedelta(hours=72, seconds=1))
        )
    assert changed(ledger, since=expired_at + LATE_COMMIT) == {"0", "6", "7"}
    assert changed(ledger, since=expired_at + LATE_COMMIT - timedelta(seconds=1)) == {"0", "1", "6", "7"}


def test_pruned_sends_keep_their_row(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    with ledger.writing() as connection:
        connection.execute(sa.update(SENDS).values(contact_key=None, phone_number=None))
    (row,) = read_campaign(ledger, sent.campaign)
    assert (row.contact_key, row.phone_number, row.foreign_id) == (None, None, sent.foreign_id(1))
