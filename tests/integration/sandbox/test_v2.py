"""API v2 of the sandbox over HTTP: its shapes, callbacks, webhooks, media and faults."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_dropcowboy.sandbox.callbacks import sign
from airflow_provider_dropcowboy.sandbox.catalog import LIST_ID, POOL_ID, RECORDING_ID, SITE_ID, VOICE_ID
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from tests.integration.sandbox.asking import Receiver
from tests.sandbox_process import SandboxProcess

WEBHOOKS = "/register/public/webhooks"


def call(
    sandbox: SandboxProcess, method: str, path: str, *, body: object = None, key: str = "", **headers: str
) -> requests.Response:
    """The answer of a v2 route to a client with the right key."""
    given = {"x-key": sandbox.key, "x-secret": sandbox.secret, "Idempotency-Key": key, **headers}
    return requests.request(method, sandbox.v2_url + path, json=body, headers=given, timeout=60, allow_redirects=False)


def rvm(**changes: object) -> dict[str, object]:
    return {"to": "+15045550100", "media_id": RECORDING_ID, "foreign_id": "one", **changes}


def register(sandbox: SandboxProcess, url: str, *events: str) -> dict[str, Any]:
    answer = call(sandbox, "POST", WEBHOOKS, body={"hook_url": url, "event_types": list(events or ("*",))})
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()["data"]
    return made


def test_the_published_signature_vector_is_made() -> None:
    vectors = json.loads(Path("tests/data/dropcowboy-v2-signature-vectors.json").read_text())
    for secret, signature in (("secret", "signature"), ("other_secret", "signature_from_other_secret")):
        made = sign(vectors[secret], timestamp=vectors["timestamp"], raw=vectors["raw_body"].encode())
        assert made == vectors[signature]


@pytest.mark.parametrize(
    ("method", "path"), [(each.method, each.path) for each in Vendor(Settings()).routes() if "/v1/" not in each.path]
)
def test_every_route_is_closed_to_strangers(sandbox: SandboxProcess, method: str, path: str) -> None:
    url = sandbox.v2_url + path.replace("{item_id}", "x")
    answer = requests.request(method, url, json=rvm(), timeout=60)
    # the address of an upload is its own credential
    assert answer.status_code == (403 if path.startswith("/_upload") else 401)
    assert sandbox.takes()["takes"] == 0


def test_a_send_is_queued_and_its_callback_has_the_foreign_id(sandbox: SandboxProcess, receiver: Receiver) -> None:
    answer = call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url), key="k")
    assert answer.status_code == 202
    assert set(answer.json()) == {"status", "message_id"}
    told = receiver.bodies.get(timeout=60)
    assert (told["foreign_id"], told["status"], told["reason_code"]) == ("one", "success", 0)
    assert "message_id" not in told
    assert sandbox.sends()["one"]["keys"] == "k"


@pytest.mark.parametrize(("code", "is_recorded"), [(0, True), (4001, True), (4005, False)])
def test_a_recording_is_proven_by_callback_and_receipt(
    sandbox: SandboxProcess, receiver: Receiver, code: int, is_recorded: bool
) -> None:
    sandbox.settings(codes={"*": code})
    call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url))
    told = receiver.bodies.get(timeout=60)
    assert ("proof_of_delivery_url" in told) is is_recorded
    register(sandbox, receiver.url, "contact.rvm.receipt")
    call(sandbox, "POST", "/rvm", body=rvm())
    assert sandbox.webhooks()["planned"] == is_recorded


def test_a_receipt_names_the_person(sandbox: SandboxProcess, receiver: Receiver) -> None:
    register(sandbox, receiver.url, "contact.rvm.receipt")
    call(sandbox, "POST", "/rvm", body=rvm())
    told: Any = receiver.bodies.get(timeout=60)["data"]
    assert told["proof_of_delivery_url"]
    assert {"team_id", "name"} <= set(told["team"])
    assert {"user_id", "username", "first_name", "last_name", "email"} <= set(told["user"])
    contact = {"contact_id", "uid", "main_phone", "first_name", "last_name", "mobile_phone", "tags", "list_ids"}
    assert contact <= set(told["contact"])
    assert told["contact"]["main_phone"] == told["campaign_session"]["phone_number"] == told["to"] == "+15045550100"
    assert {"status", "reason", "delivered_at", "dnc"} <= set(told["campaign_session"]["dispo"])


@pytest.mark.parametrize(
    ("byoc", "fields", "shown"),
    [
        (False, {}, "+12125550100"),
        (True, {}, "+15045550199"),
        (True, {"phone_line_id": POOL_ID}, "+12125550100"),
    ],
)
def test_a_caller_id_is_of_an_account_with_its_own_carrier_and_yields_to_a_line(
    sandbox: SandboxProcess, receiver: Receiver, byoc: bool, fields: dict[str, str], shown: str
) -> None:
    sandbox.settings(byoc=byoc)
    try:
        call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url, caller_id="+15045550199", **fields))
        assert receiver.bodies.get(timeout=60)["caller_id"] == shown
    finally:
        sandbox.settings(byoc=False)


def test_a_lost_answer_asked_again_with_its_key_is_told_once(sandbox: SandboxProcess, receiver: Receiver) -> None:
    sandbox.fault("lose_answer", times=1)
    with pytest.raises(requests.ConnectionError):
        call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url), key="k")
    assert call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url), key="k").status_code == 202
    assert sandbox.callbacks(wait_for=1)["planned"] == 1
    assert (sandbox.takes()["takes"], sandbox.stats()["keys"]["repeated"]) == (1, 1)


def test_every_webhook_of_the_event_hears_of_it_signed_and_without_foreign_id(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    hook = register(sandbox, receiver.url)
    register(sandbox, receiver.url, "contact.created")
    call(sandbox, "POST", "/rvm", body=rvm())
    told = [receiver.requests.get(timeout=60) for _ in range(2)]
    for headers, raw in told:
        assert headers["X-Signature"] == sign(hook["signing_secret"], timestamp=headers["X-Timestamp"], raw=raw)
        assert b"foreign_id" not in raw
        assert json.loads(raw)["event_id"] == headers["X-Event-Id"]
    assert {json.loads(raw)["event"] for _, raw in told} == {"contact.rvm.status", "contact.rvm.receipt"}
    assert sandbox.webhooks(done=2)["planned"] == 2


@pytest.mark.parametrize("receiver", [503], indirect=True)
def test_a_failed_webhook_is_tried_after_a_minute_and_after_five_more(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    register(sandbox, receiver.url, "contact.sms.status")
    call(sandbox, "POST", "/sms", body={"to": "+15045550100", "body": "Hi"})
    sandbox.webhooks(attempts=1)
    for seconds, attempts in ((59, 1), (1, 2), (299, 2), (1, 3), (10_000, 3)):
        sandbox.advance(seconds)
        assert sandbox.webhooks(attempts=attempts)["attempts"] == {"503": attempts}
    headers = [receiver.requests.get(timeout=60)[0] for _ in range(3)]
    assert [one["X-Attempt"] for one in headers] == ["1", "2", "3"]
    assert len({one["X-Event-Id"] for one in headers}) == 1
    assert sandbox.webhooks()["done"] == 1


@pytest.mark.parametrize("receiver", [401], indirect=True)
def test_a_refused_webhook_is_lost(sandbox: SandboxProcess, receiver: Receiver) -> None:
    register(sandbox, receiver.url)
    assert sandbox.emit("contact.msg.opt_out", contact_id="c") == 1
    assert sandbox.webhooks(done=1)["attempts"] == {"401": 1}


def test_bad_credentials_are_told_to_the_callback_alone(sandbox: SandboxProcess, receiver: Receiver) -> None:
    register(sandbox, receiver.url)
    call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url), **{"x-secret": "wrong"})
    assert receiver.bodies.get(timeout=60)["reason_code"] == 3007
    assert (sandbox.webhooks()["planned"], sandbox.takes()["takes"]) == (0, 0)


def test_a_webhook_outlives_a_lost_callback_and_may_come_twice(sandbox: SandboxProcess, receiver: Receiver) -> None:
    sandbox.settings(callback_lost=1, webhook_twice=1)
    try:
        register(sandbox, receiver.url, "contact.rvm.status")
        call(sandbox, "POST", "/rvm", body=rvm(callback_url=receiver.url))
        assert sandbox.callbacks(wait_for=1)["by_answer"] == {"lost": 1}
        assert sandbox.webhooks(done=2)["attempts"] == {"200": 2}
        assert len({receiver.requests.get(timeout=60)[0]["X-Event-Id"] for _ in range(2)}) == 1
    finally:
        sandbox.settings(webhook_twice=0)


def test_a_secret_is_shown_once_and_rotated(sandbox: SandboxProcess, receiver: Receiver) -> None:
    made = register(sandbox, receiver.url)
    path = f"{WEBHOOKS}/{made['webhook_id']}"
    assert made["signing_secret"] not in call(sandbox, "GET", WEBHOOKS).text + call(sandbox, "GET", path).text
    rotated = call(sandbox, "POST", f"{path}/rotate-secret", body={}).json()["data"]["signing_secret"]
    assert rotated != made["signing_secret"]
    secrets = call(sandbox, "GET", "/register/public/account/webhook-signing-secret").json()["data"]
    assert [hook["signing_secret"] for hook in secrets] == [rotated]
    nothing = call(sandbox, "PUT", path, body={})
    assert (nothing.status_code, nothing.json()["detail"]["code"]) == (400, "nothing_to_update")
    changed = call(sandbox, "PUT", path, body={"event_types": ["contact.created"]}).json()["data"]
    assert (changed["hook_type"], changed["webhook_id"]) == ("contact.created", made["webhook_id"])
    assert call(sandbox, "DELETE", path).json()["data"] == {"result": True}
    assert call(sandbox, "DELETE", path).json()["type"].endswith("/not-found")


def test_a_file_is_uploaded_in_three_steps(sandbox: SandboxProcess) -> None:
    made = call(sandbox, "POST", "/media/public/media", body={"name": "Hi", "type": "rvm", "signed_upload": True})
    media = made.json()["data"]
    complete = f"/media/public/media/{media['media_id']}/complete"
    assert (made.status_code, media["media_exists"]) == (201, False)
    assert call(sandbox, "POST", complete, body={}).status_code == 400
    upload = media["upload"]["mp3"]
    for content_type, status in (("text/plain", 403), (upload["content_type"], 200)):
        put = requests.put(upload["url"], data=b"ID3", headers={"Content-Type": content_type}, timeout=60)
        assert put.status_code == status
    call(sandbox, "POST", "/rvm", body=rvm(media_id=media["media_id"]))
    assert call(sandbox, "POST", complete, body={}).json()["data"]["media_exists"] is True
    call(sandbox, "POST", "/rvm", body=rvm(media_id=media["media_id"]))
    assert sandbox.stats()["codes"] == {"3033": 1, "0": 1}


def test_the_account_is_read_in_envelopes(sandbox: SandboxProcess) -> None:
    ready = call(sandbox, "GET", "/register/public/integration-readiness").json()
    assert ready["meta"]["request_id"]
    assert ready["data"]["funds"]["funds_ok"] is True
    assert call(sandbox, "GET", "/voice/public/voices").json()["data"]["voices"][0]["voice_id"] == VOICE_ID
    assert call(sandbox, "GET", "/media/public/media?limit=1").json()["data"]["medias"][0]["media_id"] == RECORDING_ID
    lines = call(sandbox, "GET", "/phone/public/lines?type=voice").json()["data"]
    assert call(sandbox, "GET", f"/phone/public/lines/{lines[0]['ivr_id']}/numbers").json()["data"]


def test_contacts_are_appended_to_a_list_with_a_sites_token(sandbox: SandboxProcess) -> None:
    wanted = {"site_id": SITE_ID, "scope": ["contacts"], "ttl_seconds": 60}
    token = call(sandbox, "POST", "/phone/public/embed/token", body=wanted).json()["data"]["token"]

    def ask(method: str, path: str, body: object = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, sandbox.v2_url + path, json=body, headers=headers, timeout=60)

    body = {
        "fields": [{"type": "main_phone"}, {"type": "first_name"}],
        "values": [["+15045550100", "Ann"], ["", "Nobody"], ["+15045550100", "Anne"]],
        "add_list_ids": [LIST_ID],
    }
    assert call(sandbox, "POST", "/contact/public/contacts", body=body).status_code == 401
    told = ask("POST", "/contact/public/contacts", body).json()["data"]
    assert [len(told[name]) for name in ("inserted", "updated", "rejected")] == [1, 1, 1]
    found = ask("GET", f"/contact/public/lists/{LIST_ID}/contacts").json()["data"]
    assert [contact["first_name"] for contact in found["contacts"]] == ["Anne"]
    assert {"type": "first_name", "value": "Anne"} in found["contacts"][0]["field_data"]
    assert found["contacts"][0]["has_tcpa_consent"] is found["contacts"][0]["has_sms_consent"] is False
    named = rvm(contact_id=found["contacts"][0]["contact_id"], to=None)
    call(sandbox, "POST", "/rvm", body={name: value for name, value in named.items() if value})
    assert sandbox.takes_by_phone() == {"+15045550100": 1}
    sandbox.advance(61)
    assert ask("GET", "/contact/public/contacts").status_code == 401


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("unauthorized", 401, "unauthorized"), ("payment_required", 402, "payment-required"), ("429", 429, "too-many-")],
)
def test_a_fault_has_the_shape_of_v2(sandbox: SandboxProcess, fault: str, status: int, code: str) -> None:
    sandbox.fault(fault, route="any")
    for method, path in (("POST", "/rvm"), ("GET", "/register/public/integration-readiness")):
        answer = call(sandbox, method, path, body=rvm() if method == "POST" else None)
        assert answer.status_code == answer.json()["status"] == status
        assert f"/errors/{code}" in answer.json()["type"]
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
