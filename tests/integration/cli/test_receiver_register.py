"""``dropcowboy receiver --register``: one signed webhook, whose events the receiver accepts."""

import pytest

from tests.integration.cli.program import Program
from tests.integration.receiver.running import CALLBACK_SECRET
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def on_v2(program: Program, sandbox: SandboxProcess) -> Program:
    program.connection |= {
        "login": sandbox.key,
        "password": sandbox.secret,
        "host": sandbox.v2_url,
        "extra": {
            "api_version": "v2",
            "callback_url": "http://127.0.0.1:9",
            "callback_secret": CALLBACK_SECRET,
        },
    }
    return program


def test_a_webhook_is_registered_once_and_its_secret_shown_once(on_v2: Program, sandbox: SandboxProcess) -> None:
    first = on_v2.run("receiver", "--register")
    assert first.code == 0, first.stderr
    assert "Signing secret, shown this once: " in first.stdout
    again = on_v2.run("receiver", "--register")
    assert (again.code, "secret" in again.stdout) == (0, False)
    rotated = on_v2.run("receiver", "--rotate")
    (hook,) = sandbox.webhooks()["webhooks"]
    assert hook["hook_url"] == "http://127.0.0.1:9/events"
    assert "contact.rvm.status" in hook["event_types"]
    secrets = {ended.stdout.splitlines()[-1] for ended in (first, rotated)}
    assert len(secrets) == 2


def test_api_v1_signs_no_webhook(program: Program) -> None:
    ended = program.run("receiver", "--register")
    assert ended.code == 2
    assert "API v1" in ended.stderr
