"""The counts that the database keeps are the counts of the rows, whatever is done to them."""

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.answers import Outcome
from airflow_provider_dropcowboy.ledger.claims import new_claim_id, reclaim
from airflow_provider_dropcowboy.ledger.counts import count_hours, count_reasons, count_run, count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now, upgrade_ledger
from airflow_provider_dropcowboy.ledger.retention import MIN_AGE, forget, prune
from airflow_provider_dropcowboy.ledger.schema import COUNTS, SENDS, VERSION_TABLE
from airflow_provider_dropcowboy.ledger.settling import release_rejected, settle_unknown
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
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # a campaign of its own is enough
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
    at_once(move_back_and_forth, ledger_url, 1_000)
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


def test_an_upgrade_counts_what_stands_already(ledger: Ledger, ledger_url: str) -> None:
    sent = Sent(ledger)
    sent.ask([1, 2, 3])
    sent.ask([4], outcome=Outcome.REJECTED, reason="Invalid brand_id")
    sent.tell(1, 2, product_cost=0.099)
    with ledger.writing() as connection:
        connection.execute(sa.schema.DropTable(COUNTS))
        for statement in _without_triggers(connection.dialect.name):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("ALTER TABLE dropcowboy_runs DROP COLUMN next_opening_at")
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '0004'")
    sent.tell(3)
    upgrade_ledger(ledger_url)
    assert kept(ledger) == recount(ledger) != {}
    sent.tell(4)
    sent.ask([5])
    assert kept(ledger) == recount(ledger)


def _without_triggers(dialect: str) -> list[str]:
    triggers = ("claimed", "moved", "gone")
    if dialect == "sqlite":
        return [f"DROP TRIGGER dropcowboy_sends_{name}" for name in triggers]
    return ["DROP FUNCTION dropcowboy_count_sends CASCADE"]


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
