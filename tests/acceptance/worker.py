"""One run of a campaign in a process of its own, as a task is: ``python -m tests.acceptance.worker``."""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.plan import GRACE_S, Plan
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK
from airflow_provider_dropcowboy.contacts.contact import ContactColumns
from airflow_provider_dropcowboy.errors import InterruptedRunError, LedgerError, NotTakenError, VendorDownError
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import LEASE
from tests.acceptance.contacts import contact_table, number
from tests.clock import SleepyClock

RUN_AGAIN: Final = 75
"""Exit code of a run that Airflow would try again (sysexits.h, EX_TEMPFAIL)."""


def main() -> int:
    """Run, print the summary or the error as JSON; 0, ``RUN_AGAIN``, or 1 with a traceback."""
    options = _options()
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s")
    plan = Plan(
        account=Account(options.login, Secret(options.secret), options.base_url, api_version=options.api),
        campaign=options.campaign,
        template=RvmTemplate(brand_id=BRAND_ID if options.api == "v1" else "", recording_id=RECORDING_ID),
        columns=ContactColumns(key_column="contact_id"),
        concurrency=options.concurrency,
        timeout_s=options.timeout_s,
        who=Who(task_id="acceptance"),
    )
    clock = SleepyClock(LEASE, before=options.sleeps_every, is_again=True) if options.sleeps_every else SYSTEM_CLOCK
    control = Control()
    signal.signal(signal.SIGTERM, lambda _number, _frame: control.stop(Order("the process is to end", grace_s=GRACE_S)))
    ledger = open_ledger(options.ledger, may_create=True)
    rows = _clean_rows(options.rows) if options.clean else contact_table(options.rows).rows
    try:
        summary = run_campaign(plan, ledger, rows=rows, control=control, clock=clock)
    except (NotTakenError, VendorDownError, LedgerError, InterruptedRunError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        return RUN_AGAIN
    print(json.dumps({**summary.as_dict(), "peak_mb": _peak_mb()}))
    return 0


def _clean_rows(count: int) -> Iterator[dict[str, object]]:
    """Rows that can all be sent to, made while they are read: the source itself takes no memory."""
    return ({"contact_id": index, "phone": number(index)} for index in range(count))


def _peak_mb() -> float:
    """Of this process alone: ``ru_maxrss`` begins with what the process that started it had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("ledger", "base-url", "login", "secret", "campaign", "api"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    parser.add_argument("--sleeps-every", type=int, default=0)
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--clean", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
