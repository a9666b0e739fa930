"""P3: a callback that was answered 200 is in the ledger, whatever is killed; one that is not the vendor's is not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, SENDS, SUPPRESSIONS
from airflow_provider_dropcowboy.sandbox.results import outcome_of
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.conftest import default_plan, people
from tests.integration.receiver.receiver_process import ReceiverProcess
from tests.integration.receiver.running import CALLBACK_SECRET
from tests.sandbox_process import SandboxProcess

ROWS = 4000
PART = 1000
OUTCOMES = {"success": 0.7, "failure": 0.2, "dnc": 0.1, "silent": 0.0}
STATE = {"success": "delivered", "failure": "failed", "dnc": "failed"}


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    opened = open_ledger(ledger_url, may_create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def receiver(ledger_url: str, ledger: Ledger, tmp_path: Path) -> Iterator[ReceiverProcess]:
    with ReceiverProcess(ledger_url, tmp_path / "spool") as process:
        process.wait_for_ledger()
        yield process


@pytest.fixture
def account(api: str, sandbox: SandboxProcess) -> Account:
    """The sandbox's, by one version of the API."""
    secret = Secret(sandbox.secret)
    if api == "v1":
        return Account(sandbox.team_id, secret, sandbox.base_url)
    return Account(sandbox.key, secret, sandbox.v2_url, api_version=api)


def send(ledger: Ledger, account: Account, receiver: ReceiverProcess, *, first: int, count: int) -> None:
    """Send to so many people, whose callbacks go to the receiver."""
    plan = default_plan(
        account.base_url,
        team_id=account.login,
        secret=account.secret.reveal(),
        account=account,
        concurrency=50,
        callback_url=receiver.url,
        callback_secret=Secret(CALLBACK_SECRET),
    )
    run_campaign(plan, ledger, rows=people(count, first=first), control=Control())


def test_every_callback_that_was_answered_is_in_the_ledger_although_the_receiver_was_killed_twice(
    ledger: Ledger, sandbox: SandboxProcess, account: Account, receiver: ReceiverProcess
) -> None:
    sandbox.settings(outcomes=OUTCOMES)
    with ThreadPoolExecutor(1) as task:
        for first in range(0, ROWS, PART):
            sending = task.submit(send, ledger, account, receiver, first=first, count=PART)
            if first in {PART, 2 * PART}:
                sandbox.callbacks(wait_for=first + 200)
                receiver.kill()
                receiver.start_again()
            sending.result()
            sandbox.callbacks(wait_for=first + PART, timeout_s=60)
    receiver.wait_for_ledger()

    said = sandbox.sends()
    assert len(said) == ROWS
    with ledger.reading() as connection:
        rows = {row.foreign_id: row for row in connection.execute(sa.select(SENDS))}
        off_limits = set(connection.execute(sa.select(SUPPRESSIONS.c.phone_number)).scalars())
        matches = set(connection.execute(sa.select(CALLBACKS.c.match)).scalars())
    answered = {foreign_id for foreign_id, send in said.items() if send["callback"] == "200"}
    assert len(answered) > ROWS / 2
    for foreign_id, send_ in said.items():
        outcome = outcome_of(send_["phone_number"], OUTCOMES)
        # what was on disk but not answered when the receiver was killed counts as well
        expected = {STATE[outcome]} if foreign_id in answered else {STATE[outcome], "accepted"}
        assert rows[foreign_id].state in expected
        if outcome == "dnc" and foreign_id in answered:
            assert send_["phone_number"] in off_limits
    assert matches <= {"applied", "repeated"}


def test_what_waited_on_disk_when_the_receiver_was_killed_is_in_the_ledger_too(
    ledger: Ledger, sandbox: SandboxProcess, account: Account, receiver: ReceiverProcess
) -> None:
    sandbox.settings(callback_delay_s=3600.0)  # these callbacks are the test's own
    send(ledger, account, receiver, first=0, count=100)
    names = sorted(sandbox.sends())
    with ledger.writing() as connection:  # nobody else writes
        connection.execute(sa.select(SENDS.c.foreign_id).with_for_update()).all()
        with ThreadPoolExecutor(20) as vendor:
            answers = list(vendor.map(lambda foreign_id: receiver.post(foreign_id).status_code, names))
        receiver.kill()
    assert set(answers) == {200}
    with ledger.reading() as connection:
        assert set(connection.execute(sa.select(SENDS.c.state)).scalars()) == {"accepted"}
    receiver.start_again()
    receiver.wait_for_ledger()
    with ledger.reading() as connection:
        assert set(connection.execute(sa.select(SENDS.c.state)).scalars()) == {"delivered"}
        assert connection.execute(sa.select(sa.func.count()).select_from(CALLBACKS)).scalar_one() >= 100


def test_forged_callbacks_change_nothing(
    ledger: Ledger, sandbox: SandboxProcess, account: Account, receiver: ReceiverProcess
) -> None:
    sandbox.settings(callback_delay_s=3600.0)
    send(ledger, account, receiver, first=0, count=100)
    for foreign_id in sandbox.sends():
        assert receiver.post(foreign_id, secret="guessed-secret", dnc=True).status_code == 404
        assert receiver.post_raw(f"/callbacks/{foreign_id}", b"{}").status_code == 404
    with ledger.reading() as connection:
        assert set(connection.execute(sa.select(SENDS.c.state)).scalars()) == {"accepted"}
        for table in (CALLBACKS, SUPPRESSIONS):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0
    assert receiver.metric("dropcowboy_callbacks_forged_total") == 200
