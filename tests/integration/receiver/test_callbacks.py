"""A callback is on disk before it is answered 200, and one that is not the vendor's changes nothing."""

import gzip
import logging
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.receiver import app
from airflow_provider_dropcowboy.receiver.arrival import MAX_BYTES, MAX_REPEATS
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.ledger.conftest import Desk
from tests.integration.receiver.conftest import Start, kept
from tests.integration.receiver.running import CALLBACK_SECRET, RunningReceiver, body

Accepted = Callable[[int], list[Message]]


def test_a_callback_is_in_the_ledger_when_it_is_answered(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    (asked,) = accepted(1)
    answer = receiver.post(asked.foreign_id, phone_number=asked.phone.e164, product_cost=0.1)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (desk.row(asked).state, desk.row(asked).cost_micros) == (State.DELIVERED, 100_000)
    assert receiver.metric("dropcowboy_callbacks_received_total") == 1
    assert receiver.metric("dropcowboy_callbacks_stored_total", match="applied") == 1
    assert receiver.metric("dropcowboy_callbacks_lag_seconds_count") == 1


def test_a_burst_of_callbacks_is_in_the_ledger_when_it_is_answered(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    asked = accepted(300)
    with ThreadPoolExecutor(32) as vendor:
        answers = list(vendor.map(lambda item: receiver.post(item.foreign_id).status_code, asked))
    assert set(answers) == {200}
    assert {desk.row(item).state for item in asked} == {State.DELIVERED}


@pytest.mark.parametrize(
    "forge",
    [
        lambda receiver, asked: receiver.token(asked.foreign_id, secret="another-secret"),
        lambda receiver, asked: receiver.token(asked.foreign_id).replace(".1.", ".2."),
        lambda receiver, asked: receiver.token("0" * 48).replace("0" * 48, asked.foreign_id),
        lambda receiver, asked: asked.foreign_id,
        lambda receiver, asked: "...",
        lambda receiver, asked: "ü",
    ],
    ids=["another secret", "another attempt", "another send's", "only the name of the send", "dots", "no ASCII"],
)
def test_a_callback_without_our_token_is_counted_and_changes_nothing(
    receiver: RunningReceiver,
    desk: Desk,
    accepted: Accepted,
    forge: Callable[[RunningReceiver, Message], str],
) -> None:
    (asked,) = accepted(1)
    answer = receiver.post_raw(f"/callbacks/{forge(receiver, asked)}", body(phone_number=asked.phone.e164))
    assert answer.status_code == 404
    assert desk.row(asked).state == State.ACCEPTED
    assert kept(desk.ledger) == []
    assert receiver.metric("dropcowboy_callbacks_forged_total") == 1
    assert receiver.metric("dropcowboy_callbacks_received_total") == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html>",
        b"\x00\xff\xed\xa0\x80",
        b"[" * 60_000,
        b"[{}]",
        b"status=success&phone=%2B15045550101",
    ],
)
def test_a_callback_that_cannot_be_read_is_kept_as_it_came(
    receiver: RunningReceiver, ledger: Ledger, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "airflow_provider_dropcowboy"):
        assert receiver.post_raw(f"/callbacks/{receiver.token('f1')}", payload).status_code == 200
    (row,) = kept(ledger)
    assert (row.match, row.foreign_id, row.is_verified) == ("unreadable", "f1", True)
    (warning,) = caplog.messages
    assert warning.startswith("callbacks that could not be read: 1.")
    assert warning.endswith("About: f1"), "nothing of the payload is logged"
    assert row.payload == payload.decode(errors="backslashreplace").replace("\0", "\\x00")
    assert receiver.metric("dropcowboy_callbacks_stored_total", match="unreadable") == 1


def raw_deflate(payload: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(payload) + deflater.flush()


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("identity, gzip", lambda plain: gzip.compress(plain[:9]) + gzip.compress(plain[9:])),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", lambda plain: plain),
    ],
    ids=["gzip", "another name", "two members", "deflate", "deflate without a header", "identity"],
)
def test_a_compressed_callback_counts_like_any_other(
    receiver: RunningReceiver,
    desk: Desk,
    accepted: Accepted,
    coding: str,
    compress: Callable[[bytes], bytes],
) -> None:
    (asked,) = accepted(1)
    payload = compress(body(phone_number=asked.phone.e164, dnc=True))
    path = f"/callbacks/{receiver.token(asked.foreign_id)}"
    assert receiver.post_raw(path, payload, headers={"Content-Encoding": coding}).status_code == 200
    assert desk.row(asked).state == State.DELIVERED


def test_no_compressed_body_becomes_larger_than_a_callback_may_be(receiver: RunningReceiver, ledger: Ledger) -> None:
    path = f"/callbacks/{receiver.token('f1')}"
    for bomb in (gzip.compress(bytes(MAX_BYTES + 1)), gzip.compress(b" ") * 1_500 + gzip.compress(bytes(MAX_BYTES))):
        assert receiver.post_raw(path, bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
    for odd in ("br", "zstd", "gzip, gzip", "compress"):
        assert receiver.post_raw(path, body(), headers={"Content-Encoding": odd}).status_code == 415
    assert kept(ledger) == []
    assert receiver.metric("dropcowboy_callbacks_refused_total", reason="unknown_encoding") == 4


def test_a_compressed_body_that_is_damaged_is_kept_as_it_came(receiver: RunningReceiver, ledger: Ledger) -> None:
    path = f"/callbacks/{receiver.token('f1')}"
    whole = gzip.compress(body())
    for damaged in (whole[:-9], whole[:9], b"not at all", whole[:20] + b"\xff" * 9 + whole[29:]):
        assert receiver.post_raw(path, damaged, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert [row.match for row in kept(ledger)] == ["unreadable"] * 4


def test_one_token_fills_neither_the_ledger_nor_the_room(receiver: RunningReceiver, ledger: Ledger) -> None:
    statuses = [receiver.post("f1", drop_id=str(number)).status_code for number in range(MAX_REPEATS + 3)]
    assert statuses == [200] * MAX_REPEATS + [429] * 3
    assert len(kept(ledger)) == MAX_REPEATS
    assert receiver.post("f2").status_code == 200
    assert receiver.metric("dropcowboy_callbacks_refused_total", reason="repeated") == 3


def test_callbacks_that_were_not_kept_do_not_count_against_their_token(receiver: RunningReceiver) -> None:
    path = f"/callbacks/{receiver.token('f1')}"
    for _ in range(MAX_REPEATS + 1):
        assert receiver.post_raw(path, b" " * (MAX_BYTES + 1)).status_code == 413
    assert receiver.post("f1").status_code == 200


def test_a_field_that_was_never_seen_before_is_kept(receiver: RunningReceiver, ledger: Ledger) -> None:
    receiver.post("f1", sentiment="good")
    assert '"sentiment": "good"' in kept(ledger)[0].payload


def test_a_body_beyond_any_callback_is_not_read(receiver: RunningReceiver, ledger: Ledger) -> None:
    path = f"/callbacks/{receiver.token('f1')}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n"
    for said in (
        f"{head}Content-Length: {MAX_BYTES + 1}\r\n\r\n".encode(),
        f"{head}Content-Length: 99999999999999999999\r\n\r\n".encode(),
        f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
        + b"%x\r\n%s\r\n" % (MAX_BYTES + 1, b"x" * (MAX_BYTES + 1)),
    ):
        heard = receiver.talk(said)
        assert heard.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
    assert receiver.post_raw(path, b" " * MAX_BYTES).status_code == 200
    assert len(kept(ledger)) == 1
    assert receiver.metric("dropcowboy_callbacks_refused_total", reason="too_large") >= 2


def test_a_body_that_does_not_come_is_not_waited_for(start: Start, ledger: Ledger) -> None:
    receiver = start(clock=BriskClock())
    head = f"POST /callbacks/{receiver.token('f1')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    assert receiver.talk(head.encode() + b'{"status"').startswith(b"HTTP/1.1 408 ")
    assert kept(ledger) == []
    assert receiver.metric("dropcowboy_callbacks_refused_total", reason="too_slow") == 1


def test_whether_a_token_is_good_is_told_and_no_callback_kept(receiver: RunningReceiver, ledger: Ledger) -> None:
    good, forged = receiver.token("f1"), receiver.token("f1", secret="another-secret")
    asked = {token: receiver.session.get(f"{receiver.url}/callbacks/{token}", timeout=60) for token in (good, forged)}
    assert [answer.status_code for answer in asked.values()] == [200, 404]
    assert kept(ledger) == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_only_a_post_is_a_callback(receiver: RunningReceiver, ledger: Ledger, method: str) -> None:
    url = f"{receiver.url}/callbacks/{receiver.token('f1')}"
    assert receiver.session.request(method, url, data=body(), timeout=60).status_code == 405
    assert kept(ledger) == []


def test_there_is_nothing_else_to_be_found(receiver: RunningReceiver) -> None:
    for path in ("/", "/docs", "/openapi.json", "/webhook", "/callbacks", "/callbacks/", "/callbacks/a/b"):
        assert receiver.post_raw(path).status_code == 404


class TestWebhookOfTheAccount:
    def test_a_callback_is_matched_by_its_foreign_id_and_its_number(
        self, start: Start, desk: Desk, accepted: Accepted
    ) -> None:
        receiver = start(takes_unsigned=True)
        receiver.wait_for_ledger()  # what comes before is spooled, and stored after what comes later
        right, wrong = accepted(2)
        receiver.post_raw("/webhook", body(foreign_id=right.foreign_id, phone_number=right.phone.e164))
        receiver.post_raw("/webhook", body(foreign_id=wrong.foreign_id, phone_number=right.phone.e164))
        receiver.post_raw("/webhook", body(foreign_id=wrong.foreign_id))
        receiver.post_raw("/webhook", b"nonsense")
        assert (desk.row(right).state, desk.row(wrong).state) == (State.DELIVERED, State.ACCEPTED)
        assert [(row.match, row.is_verified) for row in kept(desk.ledger)] == [
            ("applied", False),
            ("unmatched", False),
            ("unmatched", False),
            ("unreadable", False),
        ]

    def test_those_who_send_no_body_there_hold_up_no_callback_with_a_token(
        self, start: Start, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(app, "MAX_HELD", 1)
        monkeypatch.setattr(app, "MAX_UNSIGNED_HELD", 1)
        receiver = start(takes_unsigned=True)
        receiver.wait_for_ledger()
        with ExitStack() as strangers:
            for _ in range(3):
                strangers.enter_context(
                    receiver.silent(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
                )
            assert receiver.post("f1").status_code == 200
        assert [row.foreign_id for row in kept(ledger)] == ["f1"]

    def test_a_name_of_any_length_is_kept(self, start: Start, ledger: Ledger) -> None:
        receiver = start(takes_unsigned=True)
        receiver.wait_for_ledger()
        name = "".join(chr(0x4E00 + number) for number in range(9_000))  # too long for an index of PostgreSQL
        assert receiver.post_raw("/webhook", body(foreign_id=name, phone_number="+15042000000")).status_code == 200
        assert [(row.match, row.foreign_id) for row in kept(ledger)] == [("unmatched", None)]


def test_no_log_holds_a_token_or_a_number(
    receiver: RunningReceiver, accepted: Accepted, caplog: pytest.LogCaptureFixture
) -> None:
    (asked,) = accepted(1)
    with caplog.at_level(logging.DEBUG):
        receiver.post(asked.foreign_id, phone_number=asked.phone.e164)
        receiver.post(asked.foreign_id, phone_number=asked.phone.e164, status="failure")
        receiver.post(asked.foreign_id, secret="another-secret")
        receiver.post_raw(f"/callbacks/{receiver.token(asked.foreign_id)}%20", b"")
    accesses = [record.getMessage() for record in caplog.records if record.name == "uvicorn.access"]
    assert len(accesses) >= 2, "plain callbacks are logged nowhere"
    token = receiver.token(asked.foreign_id)
    for record in caplog.records:
        if record.name.startswith("urllib3"):  # the test's own client
            continue
        for secret in (token, token.rpartition(".")[2], asked.phone.e164, CALLBACK_SECRET):
            assert secret not in record.getMessage()
