"""Which messages a run has met already, and which numbers its suppression list holds."""

import random

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.content import Rvm
from airflow_provider_dropcowboy.campaign.seen import Seen, Unsent
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import State

NAMES = st.lists(st.integers(0, 30).map("{:048x}".format))


@given(st.lists(NAMES))
def test_a_name_is_new_exactly_once(batches: list[list[str]]) -> None:
    met: list[str] = []
    with Seen() as seen:
        for names in batches:
            new = seen.add(names)
            assert new == set(names) - set(met)
            met += new
        assert seen.met(met) == set(met)
        assert not seen.suppressed(met)
    assert len(met) == len(set(met))


@given(NAMES, NAMES)
def test_a_list_stops_its_numbers_and_no_others(listed: list[str], numbers: list[str]) -> None:
    with Seen() as seen:
        seen.suppress(listed)
        assert seen.suppressed(numbers) == set(listed) & set(numbers)
        assert not seen.met(numbers)


def test_many_names_are_remembered() -> None:
    names = [f"{number:048x}" for number in range(50_000)]
    random.Random(0).shuffle(names)
    with Seen() as seen:
        assert seen.add(names) == set(names)
        assert not seen.add(names[::100])


def _message(number: int, person: int) -> Message:
    return Message(
        foreign_id=f"{person:048x}",
        contact_key=str(person),
        phone=Phone("+15045550101"),
        content=Rvm(),
        number_digest=f"{number:032x}",
        content_digest="",
    )


UNSENT = st.sampled_from([State.HELD, State.CAPPED, State.READY, State.SUPPRESSED, State.DUPLICATE])


@given(st.lists(st.dictionaries(st.integers(0, 20), st.tuples(st.integers(0, 30), UNSENT))))
def test_a_number_is_the_first_messages_that_owns_one(batches: list[dict[int, tuple[int, State]]]) -> None:
    owners: dict[str, str] = {}
    held: set[str] = set()
    with Unsent() as unsent:
        for batch in batches:
            messages = [(_message(number, person), state) for number, (person, state) in batch.items()]
            unsent.add(messages)
            for message, state in messages:
                is_new = message.number_digest not in owners and state not in {State.SUPPRESSED, State.DUPLICATE}
                if is_new:
                    owners[message.number_digest] = message.foreign_id
                if is_new and state is State.HELD:
                    held.add(message.foreign_id)
        assert unsent.owners([f"{number:032x}" for number in range(21)]) == owners
        assert set(unsent.held()) == held
