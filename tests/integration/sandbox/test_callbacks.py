"""Callbacks of the sandbox to a real receiver."""

import socket
from contextlib import closing

import pytest

from tests.integration.sandbox.asking import Receiver, call, rvm
from tests.sandbox_process import SandboxProcess


def test_a_callback_tells_the_outcome(sandbox: SandboxProcess, receiver: Receiver) -> None:
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, callback_url=receiver.url))
    told = receiver.bodies.get(timeout=60)
    assert (told["foreign_id"], told["phone_number"], told["status"]) == ("one", "+15045550100", "success")
    assert sandbox.callbacks(wait_for=1)["by_answer"] == {"200": 1}
    assert sandbox.sends()["one"]["callback"] == "200"


def test_every_take_has_its_own_callback(sandbox: SandboxProcess, receiver: Receiver) -> None:
    for _ in range(2):
        call(sandbox, "POST", "/rvm", body=rvm(sandbox, callback_url=receiver.url))
    assert len({str(receiver.bodies.get(timeout=60)["drop_id"]) for _ in range(2)}) == 2


@pytest.mark.parametrize("receiver", [500, 307], indirect=True)
def test_a_callback_is_never_repeated(sandbox: SandboxProcess, receiver: Receiver) -> None:
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, callback_url=receiver.url))
    assert sandbox.callbacks(wait_for=1)["by_answer"] == {str(receiver.status): 1}
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id="two", callback_url=receiver.url))
    sandbox.callbacks(wait_for=2)
    assert [receiver.bodies.get(timeout=60)["foreign_id"] for _ in range(2)] == ["one", "two"]
    assert receiver.bodies.empty()


def test_a_callback_that_nobody_answers_is_lost(sandbox: SandboxProcess) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, callback_url=f"http://127.0.0.1:{port}/"))
    assert sandbox.callbacks(wait_for=1)["by_answer"] == {"no answer": 1}


def test_a_silent_send_is_never_told(sandbox: SandboxProcess, receiver: Receiver) -> None:
    sandbox.settings(outcomes={"silent": 1})
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, callback_url=receiver.url))
    sandbox.settings(outcomes={"dnc": 1})
    call(sandbox, "POST", "/rvm", body=rvm(sandbox, foreign_id="two", callback_url=receiver.url))
    told = receiver.bodies.get(timeout=60)
    assert (told["foreign_id"], told["dnc"]) == ("two", True)
    assert sandbox.callbacks(wait_for=1)["by_outcome"] == {"silent": 1, "dnc": 1}
    assert receiver.bodies.empty()
