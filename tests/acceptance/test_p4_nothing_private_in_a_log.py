"""P4: a run that logs all it can, against a vendor that breaks, writes no secret and no phone number.

Everything that Airflow writes is searched in ``tests/in_airflow/test_privacy.py``.
"""

from pathlib import Path

from tests.acceptance.contacts import contact_table
from tests.acceptance.faults import EVERY_FAULT
from tests.acceptance.worker_process import Task
from tests.sandbox_process import SandboxProcess

ROWS = 300


def test_no_secret_and_no_phone_number_is_in_the_log_of_a_run_at_debug_level(
    api: str, ledger_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    table = contact_table(ROWS)
    with SandboxProcess("--seed", "4") as sandbox:
        sandbox.faults(*EVERY_FAULT)
        task = Task(
            sandbox=sandbox,
            ledger_url=ledger_url,
            api=api,
            log=log,
            rows=ROWS,
            concurrency=16,
            timeout_s=2.0,
            log_level="DEBUG",
        )
        task.start().wait()
        contacted = set(sandbox.sends())
        secret = sandbox.secret
    text = log.read_text()
    assert " DEBUG " in text
    assert "campaign acceptance" in text
    assert len(contacted) > ROWS / 2
    private = [secret, *(phone.removeprefix("+1") for phone in table.numbers.values())]
    assert [value for value in private if value in text] == []
