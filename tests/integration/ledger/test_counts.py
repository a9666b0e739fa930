"""The counts that the database keeps are the counts of the rows, whatever is done to them."""

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger import database
from airflow_provider_dropcowboy.ledger.claims import new_claim_id, reclaim
from airflow_provider_dropcowboy.ledger.counts import count_hours, count_reasons, count_run, count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now, open_ledger, upgrade_ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.settling import release_rejected, settle_unknown
from airflow_provider_dropcowboy.ledger.upkeep import MIN_AGE, forget, prune
from airflow_provider_dropcowboy.states import State
from tests.integration.ledger.conftest import Desk, messages
from tests.integration.ledger.recount import kept, parts, recount, stand
from tests.integration.ledger.workers import at_once, move_back_and_forth
from tests.integration.sent import Sent, age, phone

KEYS = range(8)
keys = st.lists(st.sampled_from(KEYS), min_size=1, unique=True)

Step = Callable[[Sent], object]


def ask(which: list[int], outcome: Outcome, reason: str) -> Step:
    return lambda sent: sent.ask(which, outcome=outcome, reason=reason)


def claim(which: list[int], is_again: bool) -> Step:
    def step(sent: Sent) -> None:
        claims = [item.claim for item in sent.claim(*which)]
        if is_again:
            reclaim(sent.ledger, sent.run, claims=claims, claim_id=new_claim_id())

    return step


def tell(which: list[int], status: str, cost: float | None, drop: str) -> Step:
    fields = {} if cost is None else {"product_cost": cost}
    return lambda sent: sent.tell(*which, status=status, drop_id=drop, **fields)


def die(hours: int) -> Step:
    return lambda sent: age(sent.ledger, timedelta(hours=hours))


def settle(is_sent: bool) -> Step:
    return lambda sent: settle_unknown(sent.ledger, sent.campaign, is_sent=is_sent, reason="looked it up")


def lose(which: list[int]) -> Step:
    """What nothing here does, and an administrator may."""

    def step(sent: Sent) -> None:
        with sent.ledger.writing() as connection:
            foreign_ids = [sent.foreign_id(key) for key in which]
            connection.execute(SENDS.delete().where(SENDS.c.foreign_id.in_(foreign_ids)))

    return step


steps = st.one_of(
    st.builds(ask, keys, st.sampled_from(Outcome), st.sampled_from(["", "Invalid brand_id", "'; DROP TABLE x"])),
    st.builds(claim, keys, st.booleans()),
    st.builds(
        tell,
        keys,
        st.sampled_from(["success", "failure"]),
        st.sampled_from([None, 0.0, 0.0299]),
        st.sampled_from(["first", "second"]),
    ),
    st.builds(die, st.sampled_from([1, 2, 73])),
    st.builds(settle, st.booleans()),
    st.just(lambda sent: release_rejected(sent.ledger, sent.campaign, reason="another brand")),
    st.just(lambda sent: prune(sent.ledger, older_than=MIN_AGE)),
    st.builds(lambda key: lambda sent: forget(sent.ledger, phone(key), reason="asked to"), st.sampled_from(KEYS)),
    st.builds(lose, keys),
    st.just(Sent.end),
)

_names = (f"campaign {number}" for number in itertools.count())


@given(plan=st.lists(steps, max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)  # each on its own campaign
def test_the_counts_that_are_kept_are_those_of_the_rows(ledger: Ledger, plan: list[Step]) -> None:
    sent = Sent(ledger, next(_names))
    for step in plan:
        step(sent)
        assert kept(ledger) == recount(ledger)
    with ledger.reading() as connection:
        at = now(connection)
        counts = count_standing(connection, [sent.campaign.id], at=at)[sent.campaign.id]
        assert counts == stand(ledger, sent.campaign.id)
        by_hour = count_hours(connection, sent.campaign, at=at)
        assert sum(by_hour.values(), Counter()) == counts
        assert sum(each.sends for each in count_reasons(connection, sent.campaign, at=at)) == counts.total()
    assert count_run(ledger, sent.run).total() == counts.total(), "it is the campaign's only run"


def test_nobody_waits_for_the_counts_and_nothing_is_lost_while_they_are_added_up(
    ledger: Ledger, ledger_url: str
) -> None:
    at_once(move_back_and_forth, ledger_url, 600)
    assert kept(ledger) == recount(ledger)
    assert parts(ledger) < 1_000, "of thousands of parts"


def test_a_transaction_that_fails_counts_nothing(desk: Desk) -> None:
    desk.claim(*messages(range(3)))
    before = kept(desk.ledger)
    with pytest.raises(ZeroDivisionError), desk.ledger.writing() as connection:  # noqa: PT012
        connection.execute(SENDS.update().values(state=State.DELIVERED.value))
        connection.execute(SENDS.delete())
        raise ZeroDivisionError
    assert kept(desk.ledger) == before == recount(desk.ledger)


def test_an_upgrade_counts_what_stands_already(ledger_url: str) -> None:
    engine = sa.create_engine(ledger_url)
    with engine.begin() as connection:
        migrate_to(connection, "0004")
        at = datetime(2026, 11, 24, 13, 59, tzinfo=UTC)
        for number, (state, reason, cost, final_at) in enumerate(
            [
                ("accepted", None, None, None),
                ("rejected", "Invalid brand_id", None, None),
                ("delivered", None, 99_000, at + timedelta(hours=1)),
                ("delivered", None, 1_000, at + timedelta(hours=1)),
            ]
        ):
            connection.execute(
                _OLD_SEND,
                {
                    "foreign_id": f"f{number}",
                    "state": state,
                    "reason": reason,
                    "cost": cost,
                    "at": at,
                    "final": final_at,
                },
            )
    engine.dispose()
    upgrade_ledger(ledger_url)
    ledger = open_ledger(ledger_url)
    assert kept(ledger) == recount(ledger)
    assert sorted(kept(ledger).values()) == [(1, 0, 0), (1, 0, 0), (2, 100_000, 2)]
    sent = Sent(ledger)
    sent.ask([1, 2])
    sent.tell(1)
    with ledger.writing() as connection:
        connection.execute(SENDS.update().where(SENDS.c.foreign_id == "f0").values(state="unknown"))
    assert kept(ledger) == recount(ledger)
    ledger.engine.dispose()


def migrate_to(connection: sa.Connection, revision: str) -> None:
    """Tables as an older version of this package made them."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


_OLD_SEND = sa.text(
    "INSERT INTO dropcowboy_sends (foreign_id, campaign_id, number_digest, owns_number, content_digest, state, reason, "
    "attempt, claim_id, run_id, claimed_at, claimed_day, final_at, cost_micros) "
    "VALUES (:foreign_id, 1, :foreign_id, true, 'c', :state, :reason, 1, 'claim', 7, :at, 20000, :final, :cost)"
).bindparams(sa.bindparam("at", type_=SENDS.c.claimed_at.type), sa.bindparam("final", type_=SENDS.c.final_at.type))


def test_what_was_counted_together_can_be_counted_by_its_hour(ledger: Ledger) -> None:
    sent = Sent(ledger)
    sent.ask([1, 2])
    age(ledger, timedelta(hours=5))
    sent.tell(1)
    with ledger.reading() as connection:
        at = now(connection)
        (before, earlier), (latest, later) = count_hours(connection, sent.campaign, at=at).items()
    assert (earlier, later) == (Counter({State.ACCEPTED: 1}), Counter({State.DELIVERED: 1}))
    assert before < latest <= at
    assert (latest.minute, latest.second) == (0, 0)
