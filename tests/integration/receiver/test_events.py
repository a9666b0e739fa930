"""Signed webhooks of API v2: each counts once, and only for the one open send that it fits."""

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import requests
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.schema import SENDS, SUPPRESSIONS, WEBHOOKS
from airflow_provider_dropcowboy.ledger.webhooks import begin_rotation, keep_secret, kept_secrets, reseal
from airflow_provider_dropcowboy.receiver import store
from airflow_provider_dropcowboy.receiver.arrival import MAX_EVENT_BYTES
from airflow_provider_dropcowboy.receiver.store import LOOK_AT_MOST_EVERY_S
from airflow_provider_dropcowboy.receiver.wiring import Wiring
from airflow_provider_dropcowboy.sandbox.callbacks import sign
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.clock import MovableClock
from tests.integration.ledger.conftest import Desk, messages
from tests.integration.receiver.conftest import Start, kept
from tests.integration.receiver.running import CALLBACK_SECRET, RunningReceiver

SINCE_THE_LOOK = timedelta(seconds=LOOK_AT_MOST_EVERY_S)
"""After so long, a secret that may be new is looked for again."""

SIGNING = "e4b1c7a9-3f2d-4e8b-9a6c-5d1f8b2e7c30"
OTHER = "7d2f9b4e-6a1c-4f83-b5e0-9c3a8d1f6e42"
Accepted = Callable[[int], list[Message]]


@pytest.fixture
def accepted(desk: Desk) -> Accepted:
    """Messages that the vendor accepted under an idempotency key."""

    def make(count: int) -> list[Message]:
        asked = [
            replace(item, number_digest=number_digest(desk.ledger.key, item.phone)) for item in messages(range(count))
        ]
        rules = ClaimRules(key_lasts=timedelta(hours=22), request_digest="r")
        candidates = list(map(Candidate, asked))
        judged = claim(desk.ledger, desk.run, candidates=candidates, claim_id=new_claim_id(), rules=rules)
        desk.record(*judged.claimed, kind=Outcome.ACCEPTED)
        return asked

    return make


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def receiver(start: Start, ledger: Ledger, desk: Desk, clock: MovableClock) -> RunningReceiver:
    account, url = desk.run.campaign.account, ledger.engine.url
    secrets = {account: (Secret(OTHER), Secret(SIGNING))}
    running = start(find=lambda: Wiring((Secret(CALLBACK_SECRET),), url, (), secrets), clock=clock)
    running.wait_for_ledger()
    clock.suspend(SINCE_THE_LOOK)
    return running


def result(message: Message, *, code: int = 0, drop_id: str = "d1", event: str = "contact.rvm.status") -> bytes:
    """An event about a message."""
    told = {
        "drop_id": drop_id,
        "campaign_id": None,
        "campaign_type": "rvm",
        "status": "failure" if code else "success",
        "reason": "",
        "reason_code": code,
        "to": message.phone.e164,
        "from": "+12125550100",
    }
    return body(event, told)


def body(event: str, told: Mapping[str, object], *, at_ms: int | None = None) -> bytes:
    """An event as it is posted."""
    at_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    envelope = {"event_id": str(uuid.uuid4()), "event": event, "event_at": at_ms, "data": told}
    return json.dumps(envelope).encode()


def post(
    receiver: RunningReceiver, raw: bytes, *, secret: str = SIGNING, seconds: int = 0, **headers: str
) -> requests.Response:
    """The answer to an event that was signed with this secret, so many seconds from now."""
    timestamp = str(int(time.time()) + seconds)
    given = {"X-Timestamp": timestamp, "X-Signature": sign(secret, timestamp=timestamp, raw=raw), **headers}
    return receiver.post_raw("/events", raw, headers=given)


def test_a_webhook_repairs_what_a_lost_callback_left_open(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    delivered, failed = accepted(2)
    answers = [post(receiver, result(delivered)), post(receiver, result(failed, code=4002, drop_id="d2"))]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"received": True})] * 2
    assert (desk.row(delivered).state, desk.row(failed).state) == (State.DELIVERED, State.FAILED)
    assert {row.match for row in kept(desk.ledger)} == {"applied"}


def test_an_event_may_be_as_large_as_the_vendor_says(receiver: RunningReceiver, desk: Desk, accepted: Accepted) -> None:
    (message,) = accepted(1)
    event = json.loads(result(message, event="contact.rvm.receipt"))
    event["data"]["contact"] = {"tags": ["x" * 900_000]}
    assert post(receiver, json.dumps(event).encode()).status_code == 200
    assert desk.row(message).state == State.DELIVERED
    event["data"]["contact"] = {"tags": ["x" * MAX_EVENT_BYTES]}
    assert post(receiver, json.dumps(event).encode()).status_code == 413


def test_an_event_counts_once_however_often_and_through_how_many_webhooks_it_comes(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    (message,) = accepted(1)
    first, second = result(message), result(message)  # two webhooks of one address: two ids
    for raw in (first, first, second, result(message, event="contact.rvm.receipt"), first):
        assert post(receiver, raw).status_code == 200
    assert [row.match for row in kept(desk.ledger)] == ["applied", "repeated", "repeated"]
    # the callback comes last, and knows what it cost
    receiver.post(message.foreign_id, drop_id="d1", reason_code=0, product_cost=0.1, phone_number=message.phone.e164)
    assert (desk.row(message).state, desk.row(message).cost_micros) == (State.DELIVERED, 100_000)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"secret": "another"}, "invalid_signature"),
        ({"seconds": -301}, "stale_timestamp"),
        ({"seconds": 301}, "stale_timestamp"),
        ({"X-Signature-Version": "v2"}, "invalid_signature"),
        ({"X-Timestamp": "1.5"}, "stale_timestamp"),
        ({"X-Signature": ""}, "missing_signature"),
        ({"X-Signature": "sha256=00"}, "invalid_signature"),
    ],
)
def test_an_event_that_is_not_the_vendors_changes_nothing(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted, options: dict[str, object], code: str
) -> None:
    (message,) = accepted(1)
    answer = post(receiver, result(message), **options)  # type: ignore[arg-type]  # each is one of its options
    assert (answer.status_code, answer.json()) == (401, {"error": code})
    assert desk.row(message).state == State.ACCEPTED
    assert kept(desk.ledger) == []


def test_a_changed_byte_is_a_forgery_and_no_object_is_refused(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    (message,) = accepted(1)
    raw, timestamp = result(message, code=4002), str(int(time.time()))
    headers = {"X-Timestamp": timestamp, "X-Signature": sign(SIGNING, timestamp=timestamp, raw=raw)}
    assert receiver.post_raw("/events", raw.replace(b"4002", b"4001"), headers=headers).status_code == 401
    assert post(receiver, b"[]").status_code == 400
    assert kept(desk.ledger) == []


def test_an_event_that_fits_no_open_send_or_several_is_kept_and_changes_nothing(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    first, other = accepted(2)
    an_hour_ago = (time.time_ns() // 1_000_000) - 3_600_000
    told = json.loads(result(first))["data"]
    for raw in (
        body("contact.rvm.status", told, at_ms=an_hour_ago),  # before it was asked for
        body("contact.sms.status", told),
        body("contact.rvm.status", {**told, "to": "+15045559999"}),
        body("contact.rvm.status", {**told, "campaign_id": "the dashboard's"}),
    ):
        assert post(receiver, raw).status_code == 200
    with desk.ledger.writing() as connection:
        connection.execute(SENDS.update().values(number_digest=first.number_digest, owns_number=False))
    assert post(receiver, result(first)).status_code == 200
    assert {desk.row(message).state for message in (first, other)} == {State.ACCEPTED}
    assert {(row.match, row.foreign_id) for row in kept(desk.ledger)} == {("unmatched", None)}
    assert len(kept(desk.ledger)) == 5


def test_an_event_counts_although_the_vendors_clock_is_behind_the_ledgers(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    (message,) = accepted(1)
    begun_at = desk.row(message).keyed_at
    told = json.loads(result(message))["data"]
    for seconds, state in ((31, State.ACCEPTED), (29, State.DELIVERED)):
        at_ms = round((begun_at - timedelta(seconds=seconds)).timestamp() * 1_000)
        assert post(receiver, body("contact.rvm.status", told, at_ms=at_ms)).status_code == 200
        assert desk.row(message).state == state


def test_what_a_webhook_refuses_is_failed_until_the_callback_frees_it(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted
) -> None:
    (message,) = accepted(1)
    post(receiver, result(message, code=3001))
    assert desk.row(message).state == State.FAILED, "it names no send: nothing is sent again for it"
    receiver.post(message.foreign_id, drop_id="d1", reason_code=3001, status="failure")
    assert desk.row(message).state == State.REJECTED
    post(receiver, result(message, code=3001))  # through a second webhook, under an event ID of its own
    assert desk.row(message).state == State.REJECTED, "the same refusal binds what the callback freed"


@pytest.mark.parametrize(
    ("event", "told", "is_suppressed"),
    [
        ("contact.msg.opt_out", {"phone_number": "+15045550177"}, True),
        ("contact.consent.revoked", {"contact": {"main_phone": "+15045550177"}}, True),
        ("contact.msg.opt", {"from": "+15045550177", "status": "out"}, True),
        ("contact.msg.opt", {"from": "+15045550177", "status": "opt-in"}, False),
        ("contact.consent.granted", {"phone_number": "+15045550177"}, False),
    ],
)
def test_opt_outs_and_revoked_consent_suppress_the_number(
    receiver: RunningReceiver,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
    event: str,
    told: dict[str, object],
    is_suppressed: bool,
) -> None:
    post(receiver, body(event, told))
    assert "could not be read" not in caplog.text
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(SUPPRESSIONS.c.phone_number, SUPPRESSIONS.c.source)).all()
    assert [tuple(row) for row in rows] == ([("+15045550177", "webhook")] if is_suppressed else [])
    assert [row.match for row in kept(ledger)] == ["applied" if is_suppressed else "unmatched"]


def test_a_secret_that_is_new_in_the_ledger_counts_at_once_and_the_old_one_for_a_while(
    start: Start, desk: Desk, accepted: Accepted, clock: MovableClock
) -> None:
    account, under = desk.run.campaign.account, Secret(CALLBACK_SECRET)
    first, second, third = accepted(3)
    running = start(clock=clock)
    running.wait_for_ledger()
    assert post(running, result(first)).status_code == 503, "no secret is configured: the vendor tries again"
    clock.suspend(SINCE_THE_LOOK)
    keep_secret(desk.ledger, account, webhook_id="w", secret=Secret(OTHER), under=under)
    assert post(running, result(first), secret=OTHER).status_code == 200
    keep_secret(desk.ledger, account, webhook_id="w", secret=Secret(SIGNING), under=under)
    clock.suspend(SINCE_THE_LOOK)
    assert post(running, result(second, drop_id="d2")).status_code == 200
    assert post(running, result(third, drop_id="d3"), secret=OTHER).status_code == 200
    assert {desk.row(message).state for message in (first, second, third)} == {State.DELIVERED}


def test_an_event_under_a_secret_that_may_be_new_comes_again_while_the_ledger_cannot_be_asked(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = accepted(1)
    event, new = result(message), "a-secret-of-a-moment-ago"
    assert post(receiver, event, secret="a-secret-that-nobody-has").status_code == 401
    keep_secret(
        desk.ledger, desk.run.campaign.account, webhook_id="w", secret=Secret(new), under=Secret(CALLBACK_SECRET)
    )
    assert post(receiver, event, secret=new).status_code == 503, "the ledger was asked a moment ago"
    clock.suspend(SINCE_THE_LOOK)
    with monkeypatch.context() as away:
        away.setattr(store, "kept_secrets", lambda *_, **__: 1 / 0)
        assert post(receiver, event, secret=new).status_code == 503, "the ledger is away"
    clock.suspend(SINCE_THE_LOOK)
    assert post(receiver, event, secret=new).status_code == 200
    assert desk.row(message).state == State.DELIVERED


def test_no_event_is_refused_for_good_between_the_vendors_rotation_and_the_ledgers(
    start: Start, desk: Desk, accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK_AT_MOST_EVERY_S", 0.0)
    keep = partial(keep_secret, desk.ledger, desk.run.campaign.account, webhook_id="w", under=Secret(CALLBACK_SECRET))
    before, after = accepted(2)
    event = result(after, drop_id="d2")
    keep(secret=Secret(OTHER))
    running = start()
    running.wait_for_ledger()
    assert post(running, event).status_code == 401
    begin_rotation(desk.ledger, "w")
    with desk.ledger.writing() as connection:  # the command that asked for it was killed, an hour ago
        connection.execute(WEBHOOKS.update().values(rotated_at=desk.ledger.born_at - timedelta(hours=1)))
    assert post(running, event).status_code == 503
    assert post(running, result(before), secret=OTHER).status_code == 200
    assert not reseal(desk.ledger, "w", keys=[Secret(CALLBACK_SECRET)]), "--register asks for another one"
    keep(secret=Secret(SIGNING))
    assert post(running, event).status_code == 200
    assert post(running, event, secret=OTHER).status_code == 401
    assert {desk.row(message).state for message in (before, after)} == {State.DELIVERED}


def test_who_reads_the_ledger_alone_has_no_signing_secret(desk: Desk) -> None:
    in_use, retired = Secret("a-callback-secret-in-use"), Secret("a-callback-secret-before")
    keep_secret(desk.ledger, "team", webhook_id="w", secret=Secret(SIGNING), under=retired)
    with desk.ledger.reading() as connection:
        (stored,) = connection.execute(sa.select(WEBHOOKS.c.secret)).scalars()
    assert SIGNING not in stored
    assert kept_secrets(desk.ledger, keys=[in_use]) == {}
    assert kept_secrets(desk.ledger, keys=[in_use, retired]) == {"team": (Secret(SIGNING),)}

    assert reseal(desk.ledger, "w", keys=[in_use, retired])

    assert kept_secrets(desk.ledger, keys=[in_use]) == {"team": (Secret(SIGNING),)}
    assert not reseal(desk.ledger, "w", keys=[retired])
    assert not reseal(desk.ledger, "another", keys=[in_use])


def test_an_event_waits_on_disk_while_the_ledger_is_away(
    receiver: RunningReceiver, desk: Desk, accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    (message,) = accepted(1)
    monkeypatch.setattr(store, "_commit", lambda *_: 1 / 0)
    monkeypatch.setattr(store, "_commit_patiently", lambda *_: 1 / 0)
    assert post(receiver, result(message)).status_code == 200
    assert receiver.ready()["spooled"] == 1
    monkeypatch.undo()
    receiver.wait_for_ledger()
    assert desk.row(message).state == State.DELIVERED
