"""The account's connections, shared out among its runs."""

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.ledger.limits import fair_shares, share_of_sync


@given(st.integers(0, 99), st.lists(st.integers(0, 99), max_size=30))
def test_nothing_is_given_that_is_not_there_or_not_wanted_and_nothing_is_left_unused(
    limit: int, wanted: list[int]
) -> None:
    shares = fair_shares(limit, wanted)
    assert sum(shares) == min(limit, sum(wanted))
    assert all(0 <= share <= want for share, want in zip(shares, wanted, strict=True))


@given(st.integers(0, 99), st.lists(st.integers(0, 99), max_size=30))
def test_who_wants_more_has_at_most_one_more_than_who_is_content_with_less(limit: int, wanted: list[int]) -> None:
    shares = fair_shares(limit, wanted)
    for share, want in zip(shares, wanted, strict=True):
        assert share == want or all(other <= share + 1 for other in shares)


def test_two_that_want_all_get_half_each() -> None:
    assert fair_shares(90, [50, 50]) == [45, 45]
    assert fair_shares(90, [10, 99]) == [10, 80]


def test_a_sync_of_a_contact_list_has_a_part_of_the_connections_and_one_at_least() -> None:
    assert [share_of_sync(limit) for limit in (1, 8, 12, 90)] == [1, 2, 3, 4]
