"""What a list is to hold, against what a list holds."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.ledger.list_contacts import ContactState, Inside
from airflow_provider_dropcowboy.lists.wanted import Comparison, Standing, Wanted, WantedContact

KEYS = st.integers(0, 6).map(str)
CONTENTS = st.sampled_from("ab")


def wanted_of(contacts: dict[str, str]) -> Wanted:
    wanted = Wanted()
    wanted.add([WantedContact(key, content, key, [content]) for key, content in contacts.items()])
    return wanted


def compare(wanted: dict[str, str], *inside: Inside) -> Comparison:
    with wanted_of(wanted) as held:
        return held.compare(inside)


def accepted(key: str, content: str = "a") -> Inside:
    return Inside(key, content, None, ContactState.ACCEPTED)


def test_the_first_of_a_key_is_kept_and_the_others_are_counted() -> None:
    with Wanted() as wanted:
        twice = [WantedContact("k", content, "k", [content]) for content in "ab"]
        assert wanted.add(twice) == 1
        assert wanted.add(twice[:1]) == 1
        assert [[one.content_digest for one in chunk] for chunk in wanted.chunks(Standing, chunk_rows=9)] == [["a"]]


def test_chunks_keep_the_order_of_the_source() -> None:
    with wanted_of(dict.fromkeys("zyxwv", "a")) as wanted:
        chunks = [[one.key_digest for one in chunk] for chunk in wanted.chunks([Standing.ADDED], chunk_rows=2)]
    assert chunks == [["z", "y"], ["x", "w"], ["v"]]


def test_a_list_only_grows_if_nothing_in_it_changed_or_went() -> None:
    assert compare({"1": "a", "2": "a"}, accepted("1")).only_grows
    assert not compare({"1": "b", "2": "a"}, accepted("1")).only_grows
    assert not compare({"2": "a"}, accepted("1")).only_grows


def test_what_was_refused_with_these_values_is_not_wanted_again() -> None:
    refused = Inside("1", "a", None, ContactState.REJECTED)
    assert compare({"1": "a"}, refused).is_same
    assert compare({"1": "b"}, refused).standings == {Standing.ADDED: 1}
    assert compare({}, refused).is_same


def test_new_values_that_were_refused_leave_the_old_ones_in_the_list() -> None:
    half = Inside("1", "b", "a", ContactState.REJECTED)
    assert compare({"1": "a"}, half).standings == {Standing.UNCHANGED: 1}
    assert compare({"1": "b"}, half).standings == {Standing.REJECTED: 1}
    assert compare({"1": "c"}, half).standings == {Standing.CHANGED: 1}
    assert not compare({"1": "b"}, half).is_same


def test_what_is_in_doubt_is_never_the_same() -> None:
    comparison = compare({"1": "a"}, Inside("1", "a", None, ContactState.UNKNOWN))
    assert comparison.standings == {Standing.UNKNOWN: 1}
    assert not comparison.only_grows


@given(st.dictionaries(KEYS, CONTENTS), st.dictionaries(KEYS, CONTENTS))
def test_every_wanted_contact_stands_in_one_way(wanted: dict[str, str], held: dict[str, str]) -> None:
    comparison = compare(wanted, *(accepted(key, content) for key, content in held.items()))
    both = wanted.keys() & held.keys()
    expected = {
        Standing.ADDED: len(wanted.keys() - held.keys()),
        Standing.UNCHANGED: sum(wanted[key] == held[key] for key in both),
        Standing.CHANGED: sum(wanted[key] != held[key] for key in both),
    }
    assert comparison.standings == +Counter(expected)
    assert comparison.standings.total() == len(wanted)
    assert comparison.removed == len(held.keys() - wanted.keys())
    assert comparison.is_same == (wanted == held)


def test_the_outcome_counts_by_what_was_before_the_sync() -> None:
    with wanted_of({"1": "a", "2": "a", "3": "a"}) as wanted:
        wanted.compare([accepted("1")])
        wanted.remember()
        wanted.compare([])
        odd = [("2", ContactState.REJECTED), ("3", ContactState.UNKNOWN), ("9", ContactState.REJECTED)]
        assert +wanted.outcome(odd) == {Standing.UNCHANGED: 1, Standing.REJECTED: 1, Standing.UNKNOWN: 1}
