"""One sync of a contact list in a process of its own, as a task is: ``python -m tests.acceptance.lists_worker``."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.errors import InterruptedRunError, LedgerError, NotTakenError, VendorDownError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.sync import sync_list
from airflow_provider_dropcowboy.lists.vendor import Stop
from airflow_provider_dropcowboy.secret import Secret

RUN_AGAIN: Final = 75
"""Exit code of a sync that Airflow would try again (sysexits.h, EX_TEMPFAIL)."""

TIMEOUT_S: Final = 10.0


class Brisk(Stop):
    """Waits that are shorter than a person's patience with a test."""

    def wait(self, seconds: float) -> None:
        super().wait(seconds / 1000)


def rows(count: int, *, version: int) -> Iterator[dict[str, object]]:
    """So many contacts; in version 1 every hundredth is another, and every thousandth is gone."""
    for n in range(count):
        if version and n % 1000 == 999:
            continue
        yield {
            "id": n,
            "mobile": f"+1504{2_000_000 + n}",
            "first": f"Ann{n}" if version and n % 100 == 7 else f"Zoë{n}",
        }


def main() -> int:
    """Sync, and print the summary or the error as JSON; 0, ``RUN_AGAIN``, or 1 with a traceback."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
    account = Account(options.team_id, Secret(options.secret), options.base_url)
    settings = ConnectionSettings(account=account, timeout_s=TIMEOUT_S)
    arguments = ListArguments.read(
        {
            "contacts": (),
            "fields": {"record_id": "id", "phone": "mobile", "first_name": "first"},
            "list_name": options.name,
            "mode": options.mode,
            "key_column": "id",
        }
    )
    ledger = open_ledger(options.ledger, may_create=True)
    try:
        source = rows(options.rows, version=options.version)
        summary = sync_list(arguments, settings, ledger, rows=source, stop=Brisk(), who=Who())
    except (NotTakenError, VendorDownError, LedgerError, InterruptedRunError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
        return RUN_AGAIN
    print(json.dumps(summary.as_dict()))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("ledger", "base-url", "team-id", "secret", "name", "mode"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("rows", "version"):
        parser.add_argument(f"--{name}", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
