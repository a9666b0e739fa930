"""What the Test button and ``dropcowboy doctor`` say of brands, hosts and networks."""

import json
import socket

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, NotWritten
from airflow_provider_dropcowboy.errors import NotTakenError
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.calls import read_access
from airflow_provider_dropcowboy.transport.evidence import why

ALLOWED, OTHER = {"brand_id": "b1", "api_allowed": True}, {"brand_id": "b2", "api_allowed": False}
ACCOUNT = Account("team", Secret("team-secret"), "https://api.dropcowboy.com/v1")


@pytest.mark.parametrize(
    ("brands", "default", "is_well", "said"),
    [
        ([ALLOWED, OTHER], None, True, "1 of 2 brands may be used through the API."),
        ([ALLOWED, OTHER], "b1", True, "default_brand_id among them"),
        ([ALLOWED, OTHER], "b2", False, "default_brand_id is not allowed"),
        ([ALLOWED, OTHER], "b3", False, "default_brand_id is not a brand of the account"),
        ([OTHER], None, False, "Voicemails need one: ask Drop Cowboy to register and allow it. Texts need none."),
        ([], None, False, "0 of 0 brands"),
    ],
)
def test_a_voicemail_needs_a_brand_that_the_api_allows(
    brands: list[dict[str, object]], default: str | None, is_well: bool, said: str
) -> None:
    call = vendor_of(ACCOUNT).access(default)
    access = read_access(ACCOUNT, call, Answer(200, json.dumps(brands).encode()))
    assert access.is_ready == is_well
    assert said in access.text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "This machine has no network"),
        (OSError(101, "Network is unreachable"), "This machine has no network"),
        (OSError(113, "No route to host"), "Check host, port and schema of the connection, the network"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Check the host of the connection."),
        (ConnectionRefusedError(), "Check host, port and schema"),
    ],
)
def test_no_network_and_a_wrong_host_are_told_apart(error: OSError, said: str) -> None:
    with pytest.raises(NotTakenError) as caught:
        read_access(ACCOUNT, vendor_of(ACCOUNT).access(), NotWritten(why(error, timeout_s=5)))
    assert str(caught.value).startswith("api.dropcowboy.com was not reached: ")
    assert said in str(caught.value)
