"""What the sandbox shows of what it was asked."""

import re

import requests

from tests.integration.sandbox.asking import call, rvm
from tests.sandbox_process import SandboxProcess


def test_what_is_asked_for_is_not_shown_with_its_secret(sandbox: SandboxProcess) -> None:
    call(sandbox, "POST", "/rvm", body=rvm(sandbox))
    view = sandbox.base_url.removesuffix("/v1") + "/_sandbox"
    for page in ("", "/stats", "/sends", "/callbacks", "/lists", "/phones", "/faults"):
        assert sandbox.secret not in requests.get(view + page, timeout=60).text


def test_the_page_shows_a_name_and_does_not_run_it(sandbox: SandboxProcess) -> None:
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id="<script>alert(1)</script>"))
    page = requests.get(sandbox.base_url.removesuffix("/v1") + "/_sandbox", timeout=60).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_page_says_what_was_accepted_and_what_came_back_and_loads_itself_again(sandbox: SandboxProcess) -> None:
    sandbox.fault("429", times=1)
    for number in (100, 100, 101):
        call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id=f"id-{number}", phone_number=f"+15045550{number}"))
    answer = requests.get(sandbox.base_url.removesuffix("/v1") + "/_sandbox", timeout=60)
    text = " ".join(re.sub("<style>.*?</style>|<[^>]*>", " ", answer.text, flags=re.DOTALL).split())
    assert answer.headers["Refresh"] == "2"
    assert "Messages requested 2 Messages accepted 2 Accepted twice 0" in text
    assert "No message and no phone number was accepted more than once." in text
    assert "Injected faults Fault Count 429 1" in text
    assert "id-100 +15045550100 Voicemail 429 200 yes" in text
    assert "{'" not in text


def test_sends_can_be_looked_up_by_a_part(sandbox: SandboxProcess) -> None:
    for number in (100, 101):
        call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id=f"id-{number}", phone_number=f"+15045550{number}"))
    assert set(sandbox.sends(contains="0100")) == {"id-100"}
    assert set(sandbox.sends(contains="id-")) == {"id-100", "id-101"}


def test_a_send_is_shown_with_what_its_asks_met(sandbox: SandboxProcess) -> None:
    sandbox.fault("503_after", times=1)
    for _ in range(2):
        call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id="one"))
    assert sandbox.sends()["one"]["answers"] == "503_after 200"


def test_a_reset_forgets_sends_lists_and_faults(sandbox: SandboxProcess) -> None:
    sandbox.fault("500_after")
    call(sandbox, "POST", "/rvm", body=rvm(sandbox))
    call(sandbox, "POST", "/list", body={"list_name": "Due"})
    sandbox.reset()
    assert (sandbox.asks(), sandbox.lists(), sandbox.takes()["takes"]) == ({}, {}, 0)
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).status_code == 200
