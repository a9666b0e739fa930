"""What a client sees of each fault, and what the sandbox took."""

import time
from contextlib import closing
from email.utils import parsedate_to_datetime

import pytest
import requests

from airflow_provider_dropcowboy.sandbox.faults import FAULT_KINDS, Ending
from tests.integration.sandbox.asking import call, connect, read_to_end, rvm
from tests.sandbox_process import SandboxProcess

BROKEN = {Ending.CLOSE, Ending.RESET, Ending.TRUNCATE}


@pytest.mark.parametrize("name", sorted(set(FAULT_KINDS) - {"hang_after"}))
def test_every_fault_does_what_its_name_says(sandbox: SandboxProcess, name: str) -> None:
    kind = FAULT_KINDS[name]
    sandbox.fault(name, to="one", times=1, delay_s=0)
    if kind.ending in BROKEN:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            call(sandbox, "POST", "/rvm", body=rvm(sandbox))
    else:
        answer = call(sandbox, "POST", "/rvm", body=rvm(sandbox))
        is_own = kind.ending in {Ending.LATE, Ending.CLOSE_IDLE, Ending.UNASKED, Ending.UNASKED_NEXT}
        assert answer.status_code == (200 if is_own else kind.answer.status)
        assert (answer.content == b'{"status": "queued"}') is is_own
    assert sandbox.takes()["takes"] == int(kind.is_taken)
    assert sandbox.asks() == {"one": 1}
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).json() == {"status": "queued"}


def test_a_lost_answer_has_no_byte(sandbox: SandboxProcess) -> None:
    sandbox.fault("lose_answer")
    with closing(connect(sandbox, rvm(sandbox))) as connection:
        assert read_to_end(connection) == b""


@pytest.mark.parametrize("name", ["reset_before", "reset_after"])
def test_a_reset_is_a_reset(sandbox: SandboxProcess, name: str) -> None:
    sandbox.fault(name)
    with closing(connect(sandbox, rvm(sandbox))) as connection, pytest.raises(ConnectionResetError):
        read_to_end(connection)


def test_a_truncated_answer_begins_well(sandbox: SandboxProcess) -> None:
    sandbox.fault("truncated_after")
    with closing(connect(sandbox, rvm(sandbox))) as connection:
        said = read_to_end(connection)
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.endswith(b'{"status": "que\r\n')


def test_an_idle_connection_is_closed_after_its_answer(sandbox: SandboxProcess) -> None:
    sandbox.fault("close_idle", delay_s=0)
    with closing(connect(sandbox, rvm(sandbox))) as connection:
        assert read_to_end(connection).endswith(b'{"status": "queued"}')


def test_a_hanging_request_ends_when_its_client_leaves(sandbox: SandboxProcess) -> None:
    sandbox.fault("hang_after")
    with closing(connect(sandbox, rvm(sandbox))):
        assert sandbox.takes(wait_for=1)["takes"] == 1
        assert sandbox.stats()["in_flight"] == 1
    deadline_s = time.monotonic() + 60
    while sandbox.stats()["in_flight"]:
        assert time.monotonic() < deadline_s, "the sandbox did not notice that the client left"


def test_a_client_that_gives_up_waiting_was_taken_all_the_same(sandbox: SandboxProcess) -> None:
    sandbox.settings(latency_ms=600_000)
    with closing(connect(sandbox, rvm(sandbox))):
        assert sandbox.takes(wait_for=1)["takes"] == 1


@pytest.mark.parametrize("name", ["429_seconds", "503_retry_after_before"])
def test_the_time_to_wait_comes_in_seconds(sandbox: SandboxProcess, name: str) -> None:
    sandbox.fault(name, delay_s=7)
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).headers["Retry-After"] == "7"


def test_the_time_to_wait_comes_as_a_date(sandbox: SandboxProcess) -> None:
    sandbox.fault("429_date", delay_s=3600)
    answer = call(sandbox, "POST", "/rvm", body=rvm(sandbox))
    waits = parsedate_to_datetime(answer.headers["Retry-After"]) - parsedate_to_datetime(answer.headers["Date"])
    assert 3590 <= waits.total_seconds() <= 3610


@pytest.mark.parametrize("name", ["redirect_302", "redirect_307"])
def test_who_follows_a_redirect_falls_into_the_trap(sandbox: SandboxProcess, name: str) -> None:
    sandbox.fault(name)
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).is_redirect
    assert sandbox.stats()["trap"] == {"requests": 0, "with_secret": 0}
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox), follow=True).json() == {"status": "queued"}
    assert sandbox.stats()["trap"] == {"requests": 1, "with_secret": 1}
    assert sandbox.takes()["takes"] == 0


def test_a_list_route_can_fail_after_it_was_carried_out(sandbox: SandboxProcess) -> None:
    sandbox.fault("504_after", route="create", to="Due")
    assert call(sandbox, "POST", "/list", body={"list_name": "Due"}).status_code == 504
    assert [made["list_name"] for made in sandbox.lists().values()] == ["Due"]
    sandbox.fault("drop_request", route="delete")
    with pytest.raises(requests.ConnectionError):
        call(sandbox, "DELETE", f"/list/{next(iter(sandbox.lists()))}")
    assert len(sandbox.lists()) == 1


def test_an_unknown_fault_is_refused_and_none_is_in_force(sandbox: SandboxProcess) -> None:
    with pytest.raises(ValueError, match="loose_answer"):
        sandbox.faults({"name": "500_after"}, {"name": "loose_answer"})
    assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).status_code == 200


def test_too_many_at_once_are_told_so(sandbox: SandboxProcess) -> None:
    sandbox.settings(max_concurrency=1)
    sandbox.fault("hang_after", to="hangs")
    with closing(connect(sandbox, rvm(sandbox, foreign_id="hangs"))):
        sandbox.takes(wait_for=1)
        assert call(sandbox, "POST", "/rvm", body=rvm(sandbox)).status_code == 429
    assert sandbox.takes()["max_in_flight"] == 2
    assert sandbox.sends()["one"]["takes"] == 0


def test_a_rate_above_the_limit_is_told_so(sandbox: SandboxProcess) -> None:
    sandbox.settings(rate_per_s=0.001)
    statuses = [call(sandbox, "POST", "/rvm", body=rvm(sandbox)).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
