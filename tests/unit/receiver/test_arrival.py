"""What the ledger keeps of a callback."""

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.callbacks import Ticket
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.receiver.arrival import Arrival

TICKET = Ticket("f1", 2)


def test_the_token_says_which_send_it_is_about_whatever_the_payload_says() -> None:
    read = Arrival(TICKET, b'{"status": "success", "foreign_id": "f2"}').read()
    assert (read.foreign_id, read.attempt) == ("f1", 2)
    assert read.callback is not None


def test_without_a_token_the_payload_says_it() -> None:
    read = Arrival(None, b'{"status": "success", "foreign_id": "f2"}').read()
    assert (read.foreign_id, read.attempt) == ("f2", None)


def test_a_name_that_is_longer_than_any_of_ours_is_none() -> None:
    name = "f" * (FOREIGN_ID_CHARACTERS + 1)
    read = Arrival(None, b'{"status": "success", "foreign_id": "%s"}' % name.encode()).read()
    assert read.foreign_id is None
    assert name in read.payload


@given(body=st.binary())
def test_whatever_cannot_be_read_is_kept_as_text_that_any_database_takes(body: bytes) -> None:
    read = Arrival(TICKET, body).read()
    assert read.callback is None
    assert "\0" not in read.payload
    read.payload.encode()


def test_an_arrival_shows_no_payload() -> None:
    arrival = Arrival(TICKET, b'{"status": "success", "phone_number": "+15045550101"}')
    assert "+15045550101" not in repr(arrival) + repr(arrival.read())
