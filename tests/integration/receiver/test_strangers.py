"""Whatever a stranger sends, nothing changes, and it is never the receiver's fault."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from tests.integration.receiver.conftest import kept
from tests.integration.receiver.running import RunningReceiver, body

ROUTES = [
    "/callbacks/{token}",
    "/callbacks/",
    "/callbacks",
    "/webhook",
    "/health",
    "/ready",
    "/metrics",
    "/",
    "//",
    "/%2e%2e/",
]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PRI", "X"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
payloads = st.binary(max_size=200) | st.dictionaries(
    st.sampled_from(["status", "foreign_id", "phone_number", "drop_id", "reason", "product_cost", "network", "dnc"]),
    json_values | st.sampled_from(["success", "failure", "+15045550100", 1e300]),
).map(lambda fields: body(**fields))
tokens = st.one_of(
    st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r\n /?#"), max_size=80),
    st.tuples(
        st.text("0123456789abcdef", min_size=FOREIGN_ID_CHARACTERS, max_size=FOREIGN_ID_CHARACTERS),
        st.integers(0, 10**7),
        st.text("0123456789abcdef", min_size=8, max_size=8),
        st.text("0123456789abcdef", min_size=32, max_size=32),
    ).map(lambda parts: ".".join(map(str, parts))),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept_ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """One ledger for all that the strangers try."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database())
    ledger = open_ledger(url, may_create=True)
    yield ledger
    ledger.engine.dispose()


@pytest.fixture(scope="module")
def open_receiver(kept_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    url = kept_ledger.engine.url.render_as_string(hide_password=False)
    with RunningReceiver(tmp_path_factory.mktemp("spool"), ledger_url=url) as running:
        running.wait_for_ledger()
        yield running


def statuses(heard: bytes) -> list[int]:
    """Of every answer on a connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", heard)]


@given(method=st.sampled_from(METHODS), route=st.sampled_from(ROUTES), token=tokens, payload=payloads)
def test_no_request_without_a_token_of_ours_changes_anything(
    open_receiver: RunningReceiver, kept_ledger: Ledger, method: str, route: str, token: str, payload: bytes
) -> None:
    before = len(kept(kept_ledger))
    head = f"{method} {route.format(token=token)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    heard = open_receiver.talk(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
    assert all(status < 500 for status in statuses(heard)), heard
    assert len(kept(kept_ledger)) == before


@given(
    said=st.binary(min_size=1, max_size=300), head=st.sampled_from([b"", b"POST ", b"POST /callbacks/a HTTP/1.1\r\n"])
)
def test_no_bytes_at_all_are_answered_with_a_fault(open_receiver: RunningReceiver, said: bytes, head: bytes) -> None:
    # a request that is refused as none ends the connection, after whatever came before it
    heard = open_receiver.talk(
        head + said + b"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n\0\r\n\r\n"
    )
    assert all(status < 500 for status in statuses(heard)), heard


@given(payload=payloads)
def test_every_body_under_a_good_token_is_kept_once(
    open_receiver: RunningReceiver, kept_ledger: Ledger, payload: bytes
) -> None:
    before = len(kept(kept_ledger))
    foreign_id = f"{before:0{FOREIGN_ID_CHARACTERS}x}"  # each is another send's: the repeats of one are limited
    answer = open_receiver.post_raw(f"/callbacks/{open_receiver.token(foreign_id)}", payload)
    assert answer.status_code == 200
    assert len(kept(kept_ledger)) == before + 1
    assert open_receiver.ready()["spooled"] == 0
    assert open_receiver.metric("dropcowboy_callbacks_spooled_total") == 0, "no database refuses what was sent"
