"""Several processes at one ledger."""

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.ledger.counts import count_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.limits import has_room_for_sync, seek_share
from airflow_provider_dropcowboy.ledger.runs import Who, end_run
from airflow_provider_dropcowboy.ledger.syncs import Hold, Sync, begin_sync
from airflow_provider_dropcowboy.states import State
from tests.integration.ledger.conftest import Desk, begin
from tests.integration.ledger.workers import at_once, claim_all, held, seek_shares, set_up
from tests.postgres_server import PostgresServer

MESSAGES = 1_000


def test_processes_that_claim_the_same_messages_get_each_of_them_once(ledger: Ledger, ledger_url: str) -> None:
    sent = Counter(chain.from_iterable(at_once(claim_all, ledger_url, MESSAGES)))
    assert {foreign_id: count for foreign_id, count in sent.items() if count > 1} == {}
    run = begin(ledger, wanted=1)
    counts = count_campaign(ledger, run.campaign)
    assert counts.total() == MESSAGES
    assert counts[State.ACCEPTED] == len(sent)
    assert set(counts) <= {State.ACCEPTED, State.RELEASED}


def test_processes_that_begin_runs_share_the_accounts_connections(ledger: Ledger, ledger_url: str) -> None:
    shares = list(chain.from_iterable(at_once(seek_shares, ledger_url, 90)))
    assert shares == [3] * 30
    assert held(ledger) == 90


def test_two_first_senders_set_a_file_up_once(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(12)]
    first, *others = at_once(set_up, urls, processes=4)
    assert len(set(first)) == len(urls)
    assert all(ids == first for ids in others)


def test_two_first_senders_set_a_postgresql_database_up_once(postgres_server: PostgresServer) -> None:
    names = [postgres_server.create_database() for _ in range(5)]
    first, *others = at_once(set_up, [postgres_server.url(name) for name in names])
    for name in names:
        postgres_server.drop_database(name)
    assert len(set(first)) == len(names)
    assert all(ids == first for ids in others)


@pytest.mark.parametrize("ended", [True, False])
def test_connections_come_back_from_runs_that_ended_and_from_dead_ones(ledger: Ledger, ended: bool) -> None:
    first, second = begin(ledger, wanted=50), begin(ledger, wanted=50)
    assert [seek_share(ledger, run, limit=50, using=0) for run in (first, second)] == [25, 25]
    if ended:
        end_run(ledger, first, counts={}, reason=None)
    else:
        Desk(ledger, first).fall_silent()
    assert seek_share(ledger, second, limit=50, using=25) == 50


def test_a_run_gives_back_only_what_it_does_not_use_at_this_moment(ledger: Ledger) -> None:
    first = begin(ledger, wanted=50)
    assert seek_share(ledger, first, limit=50, using=0) == 50
    second = begin(ledger, wanted=50)
    assert seek_share(ledger, second, limit=50, using=0) == 0
    assert seek_share(ledger, first, limit=50, using=40) == 25  # it starts no more than that
    assert seek_share(ledger, second, limit=50, using=0) == 10  # but has 40 under way
    assert seek_share(ledger, first, limit=50, using=25) == 25
    assert seek_share(ledger, second, limit=50, using=10) == 25


class TestSyncsOfContactLists:
    def begin_sync(self, ledger: Ledger, account: str, *, name: str = "leads") -> Sync:
        begun = begin_sync(ledger, account, name=name, mode="mirror", who=Who(), timeout_s=30.0)
        assert isinstance(begun, Sync)
        return begun

    def test_a_sync_waits_until_the_runs_have_given_back_its_part(self, ledger: Ledger) -> None:
        run = begin(ledger, wanted=99)
        account = run.campaign.account
        assert seek_share(ledger, run, limit=90, using=0) == 90
        sync = self.begin_sync(ledger, account)
        assert not has_room_for_sync(ledger, account, sync.id, limit=90)
        assert seek_share(ledger, run, limit=90, using=90) == 86  # it starts no more, and has 90 under way
        assert not has_room_for_sync(ledger, account, sync.id, limit=90)
        assert seek_share(ledger, run, limit=90, using=86) == 86
        assert has_room_for_sync(ledger, account, sync.id, limit=90)
        Hold(ledger, sync).finish({})
        assert seek_share(ledger, run, limit=90, using=86) == 90

    def test_of_any_number_of_syncs_the_oldest_has_room(self, ledger: Ledger) -> None:
        account = begin(ledger, wanted=9).campaign.account
        syncs = [self.begin_sync(ledger, account, name=f"list {number}") for number in range(10)]
        assert [has_room_for_sync(ledger, account, sync.id, limit=9) for sync in syncs] == [True] * 4 + [False] * 6
