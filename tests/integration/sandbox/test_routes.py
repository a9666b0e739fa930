"""The sandbox's routes over a real socket."""

import pytest
import requests

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, RECORDINGS
from tests.integration.sandbox.asking import call, rvm
from tests.sandbox_process import SandboxProcess

ROUTES = [
    ("POST", "/rvm"),
    ("POST", "/sms"),
    ("POST", "/list"),
    ("GET", "/list/x"),
    ("POST", "/list/x"),
    ("DELETE", "/list/x"),
    ("POST", "/list/x/contacts"),
    ("GET", "/brand"),
    ("GET", "/recording"),
    ("GET", "/media"),
    ("GET", "/pool"),
]


def test_a_voicemail_and_a_text_are_queued(sandbox: SandboxProcess) -> None:
    sms = {"caller_id": "+15045550199", "pool_id": POOL_ID, "sms_body": "Ready.", "opt_in": True, "foreign_id": "two"}
    for path, body in (("/rvm", rvm(sandbox)), ("/sms", rvm(sandbox, **sms))):
        answer = call(sandbox, "POST", path, body=body)
        assert (answer.status_code, answer.json()) == (200, {"status": "queued"})
    assert sandbox.asks() == {"one": 1, "two": 1}
    assert sandbox.takes()["takes"] == 2


@pytest.mark.parametrize("headers", [{}, {"x-team-id": "sandbox-team", "x-secret": "wrong"}])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_is_closed_without_its_headers(
    sandbox: SandboxProcess, method: str, path: str, headers: dict[str, str]
) -> None:
    made = call(sandbox, "POST", "/list", body={"list_name": "Due"}).json()["list_id"]
    url = f"{sandbox.base_url}{path}".replace("/list/x", f"/list/{made}")
    answer = requests.request(method, url, json=rvm(sandbox), headers=headers, timeout=60)
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert sandbox.stats()["unauthorized"] == 1
    assert sandbox.takes()["takes"] == 0
    assert [kept["list_name"] for kept in sandbox.lists().values()] == ["Due"]


@pytest.mark.parametrize(
    ("content_type", "raw"), [("application/json", b'{"a": '), ("application/json", b"[]"), ("text/plain", b"{}")]
)
def test_a_body_that_is_no_json_object_is_refused(sandbox: SandboxProcess, content_type: str, raw: bytes) -> None:
    headers = {"x-team-id": sandbox.team_id, "x-secret": sandbox.secret, "Content-Type": content_type}
    answer = requests.post(f"{sandbox.base_url}/rvm", data=raw, headers=headers, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/rvm", 405), ("GET", "/rvm", 405)]
)
def test_other_routes_do_not_exist(sandbox: SandboxProcess, method: str, path: str, status: int) -> None:
    assert call(sandbox, method, path).status_code == status


def test_the_credentials_of_v1_open_nothing_on_v2(sandbox: SandboxProcess) -> None:
    assert requests.post(f"{sandbox.v2_url}/rvm", json=rvm(sandbox), timeout=60).status_code == 401
    assert requests.get(f"{sandbox.v2_url}/voice/public/voices", timeout=60).status_code == 401


def test_the_catalog_can_be_read(sandbox: SandboxProcess) -> None:
    assert BRAND_ID in {row["brand_id"] for row in call(sandbox, "GET", "/brand").json()}
    assert POOL_ID in {row["pool_id"] for row in call(sandbox, "GET", "/pool").json()}
    assert call(sandbox, "GET", "/media").json() == call(sandbox, "GET", "/recording").json() == RECORDINGS
    for wanted in (True, False):
        rows = call(sandbox, "GET", f"/recording?api_allowed={str(wanted).lower()}").json()
        assert {row["api_allowed"] for row in rows} == {wanted}


def test_a_list_lives_from_its_making_to_its_deletion(sandbox: SandboxProcess) -> None:
    made = call(sandbox, "POST", "/list", body={"list_name": "Due"}).json()
    path = f"/list/{made['list_id']}"
    renamed = call(sandbox, "POST", path, body={"list_name": "Overdue"})
    assert (renamed.status_code, renamed.content) == (200, b"")
    rows = [[str(number), f"504555{number:04d}"] for number in range(10_000)]
    appended = call(sandbox, "POST", f"{path}/contacts", body={"fields": ["record_id", "phone"], "values": rows})
    assert appended.json() == {"accepted_count": 10_000, "rejected": []}
    assert call(sandbox, "GET", path).json() == {**made, "list_name": "Overdue", "contact_count": 10_000}
    assert sandbox.lists()[made["list_id"]]["contacts"][7] == {"record_id": "7", "phone": "+15045550007"}
    assert call(sandbox, "DELETE", path).json() == {"list_id": made["list_id"]}
    assert call(sandbox, "GET", path).status_code == 404
