"""Persons leave the ledger, and nobody is asked twice for it; on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.list_contacts import LIST_APPENDS, LIST_CONTACTS
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.schema import METADATA, NOT_SENT, SENDS
from airflow_provider_dropcowboy.ledger.suppressions import find_suppression, suppress
from airflow_provider_dropcowboy.ledger.upkeep import CHUNK_ROWS, MIN_AGE, Pruned, forget, prune
from airflow_provider_dropcowboy.ledger.verdicts import NotSent, keep_verdicts
from airflow_provider_dropcowboy.states import State
from tests.integration.sent import Sent, age, phone

QUARTER = timedelta(days=90)


def everything(ledger: Ledger) -> str:
    """All cells of all tables."""
    with ledger.reading() as connection:
        return repr([connection.execute(sa.select(table)).all() for table in METADATA.sorted_tables])


def persons(ledger: Ledger) -> list[tuple[str | None, str | None, str | None]]:
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(SENDS.c.contact_key, SENDS.c.phone_number, SENDS.c.network))
        return [(row.contact_key, row.phone_number, row.network) for row in rows]


def test_after_pruning_no_number_key_or_payload_of_old_messages_is_left(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask(range(3))
    sent.tell(0, 1, network={"name": "Verizon"})
    age(ledger, QUARTER)
    assert prune(ledger, older_than=QUARTER) == Pruned(sends=3, callbacks=2, in_doubt=0)
    assert persons(ledger) == [(None, None, None)] * 3
    left = everything(ledger)
    assert "+1504" not in left
    assert "Verizon" not in left


def test_what_is_pruned_is_asked_neither_by_its_key_nor_by_its_number(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1])
    sent.tell(1)
    age(ledger, QUARTER)
    prune(ledger, older_than=QUARTER)
    assert Sent(ledger).claim(1) == []
    other = Sent(ledger)
    assert other.identity.number_digest(phone(1)) == other.message(1).number_digest
    with ledger.reading() as connection:
        row = connection.execute(sa.select(SENDS)).one()
    assert (row.state, row.owns_number, row.number_digest) == (
        State.DELIVERED,
        True,
        other.identity.number_digest(phone(1)),
    )


def test_rows_that_were_not_sent_are_pruned_with_their_run_and_forgotten_with_their_number(ledger: Ledger) -> None:
    sent = Sent(ledger)
    rows = [
        NotSent(
            name=sent.foreign_id(key),
            foreign_id=sent.foreign_id(key),
            contact_key=f"key {key}",
            number_digest=sent.message(key).number_digest,
            state=State.SUPPRESSED,
            reason="no consent",
        )
        for key in range(2)
    ]
    keep_verdicts(ledger, sent.run, rows)
    forget(ledger, phone(1), reason="asked to")
    with ledger.reading() as connection:
        keys = connection.execute(sa.select(NOT_SENT.c.contact_key).order_by(NOT_SENT.c.contact_key)).scalars().all()
    assert set(keys) == {"key 0", None}
    age(ledger, QUARTER)
    prune(ledger, older_than=QUARTER)
    with ledger.reading() as connection:
        assert connection.execute(sa.select(NOT_SENT)).all() == []


def test_a_late_result_of_a_pruned_message_still_counts(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1])
    age(ledger, QUARTER)
    prune(ledger, older_than=QUARTER)
    assert sent.tell(1, dnc=True) == [Match.APPLIED]
    assert find_suppression(ledger, phone(1)) is not None


def test_younger_messages_and_those_in_doubt_are_left(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1], outcome=Outcome.UNKNOWN)
    sent.claim(2)
    age(ledger, QUARTER)
    Sent(ledger).ask([3])
    before = everything(ledger)
    assert prune(ledger, older_than=QUARTER) == Pruned(sends=0, callbacks=0, in_doubt=2)
    assert everything(ledger) == before


def test_refused_and_released_messages_are_pruned_and_may_be_asked_anew(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1], outcome=Outcome.RELEASED)
    age(ledger, QUARTER)
    assert prune(ledger, older_than=QUARTER).sends == 1
    assert len(Sent(ledger).claim(1)) == 1
    assert persons(ledger) == [("1", phone(1).e164, None)]


def test_too_short_a_time_is_refused_and_changes_nothing(ledger: Ledger) -> None:
    Sent(ledger).ask([1])
    age(ledger, timedelta(days=30))
    with pytest.raises(ConfigurationError, match="8 days or more"):
        prune(ledger, older_than=MIN_AGE - timedelta(minutes=1))
    assert persons(ledger) == [("1", phone(1).e164, None)]


def test_pruning_goes_chunk_by_chunk_and_doing_it_again_finds_nothing(ledger: Ledger) -> None:
    Sent(ledger).ask(range(2 * CHUNK_ROWS + 10))
    age(ledger, QUARTER)
    assert prune(ledger, older_than=QUARTER).sends == 2 * CHUNK_ROWS + 10
    assert prune(ledger, older_than=QUARTER) == Pruned(0, 0, 0)


def test_a_forgotten_person_is_nowhere_and_the_others_are_as_they_were(ledger: Ledger) -> None:
    for name in ("spring", "autumn"):
        sent = Sent(ledger, name)
        sent.ask([1, 2])
        sent.tell(1, 2)
    suppress(ledger, [phone(1)], source="command line")
    strays = ['{"to": "(504) 200-0001"', '{"to": "+1 504 200 0002"', "504.200.0001?"]
    reconcile(ledger, [Received(None, None, None, payload) for payload in strays])
    forgotten = forget(ledger, phone(1), reason="asked to be forgotten")
    assert (forgotten.sends, forgotten.callbacks) == (2, 4)
    left = everything(ledger)
    for written in ("5042000001", "200-0001", "200.0001"):
        assert written not in left
    assert left.count("200 0002") == 1
    assert sorted(persons(ledger), key=str) == [("2", phone(2).e164, None)] * 2 + [(None, None, None)] * 2


def test_a_forgotten_person_stays_suppressed_by_the_digest_alone(ledger: Ledger) -> None:
    suppress(ledger, [phone(1)], source="command line", reason="by letter")
    forget(ledger, phone(1), reason="asked to be forgotten")
    forget(ledger, phone(2), reason="asked to be forgotten")
    first, second = find_suppression(ledger, phone(1)), find_suppression(ledger, phone(2))
    assert first is not None
    assert second is not None
    assert (first.source, first.reason, first.is_forgotten) == ("command line", "by letter", True)
    assert (second.source, second.reason, second.is_forgotten) == ("forgotten", "asked to be forgotten", True)


def test_who_was_forgotten_is_not_asked_again(ledger: Ledger) -> None:
    forget(ledger, phone(1), reason="asked to be forgotten")
    assert Sent(ledger).claim(1) == []


class TestContactLists:
    """They keep the key of who was refused or is in doubt, which is the number where there is no key column."""

    @staticmethod
    def put(ledger: Ledger, *contacts: tuple[str, str], answered_ago: timedelta = timedelta(0)) -> None:
        with ledger.writing() as connection:
            at = now(connection) - answered_ago
            key = connection.execute(
                LIST_APPENDS.insert().values(
                    list=1, sync_id=1, row_count=len(contacts), state="accepted", claimed_at=at, answered_at=at
                )
            ).inserted_primary_key
            assert key is not None
            for place, (contact_key, state) in enumerate(contacts):
                connection.execute(
                    LIST_CONTACTS.insert().values(
                        list=1, key_digest=f"{key[0]}-{place}", content_digest="", state=state, append_id=key[0],
                        contact_key=contact_key,
                    )
                )  # fmt: skip

    @staticmethod
    def keys(ledger: Ledger) -> list[str | None]:
        with ledger.reading() as connection:
            rows = connection.execute(sa.select(LIST_CONTACTS.c.contact_key).order_by(LIST_CONTACTS.c.key_digest))
            return list(rows.scalars())

    def test_who_is_forgotten_is_on_no_list_by_number_or_by_key(self, ledger: Ledger) -> None:
        sent = Sent(ledger)
        sent.ask([1])
        self.put(ledger, (phone(1).e164, "rejected"), (sent.message(1).contact_key, "unknown"), ("other", "rejected"))
        forget(ledger, phone(1), reason="asked by mail")
        assert self.keys(ledger) == [None, None, "other"]

    def test_pruning_takes_the_names_of_old_refusals_and_leaves_those_in_doubt(self, ledger: Ledger) -> None:
        self.put(ledger, ("old", "rejected"), ("doubt", "unknown"), answered_ago=QUARTER)
        self.put(ledger, ("new", "rejected"))
        prune(ledger, older_than=QUARTER)
        assert self.keys(ledger) == [None, "doubt", "new"]
