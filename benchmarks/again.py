"""The CPU of runs that send little: reruns, dry runs and foreign partitions; ``benchmarks.against`` starts it.

It runs with this build and with older ones, so it imports only what both have, from where both have it.
"""

import argparse
import json
import random
import resource
from collections.abc import Mapping
from datetime import timedelta
from inspect import signature

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.plan import (  # type: ignore[attr-defined]  # in both builds
    ContactColumns,
    Plan,
    RvmTemplate,
)
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import DATA
from airflow_provider_dropcowboy.secret import Secret

try:
    from airflow_provider_dropcowboy.contacts.contact import Template
except ImportError:  # an older build has it elsewhere
    from airflow_provider_dropcowboy.contacts.text import Template  # type: ignore[import-not-found,no-redef]

CAPS = ((3, timedelta(days=1)),)
TEXT = "Hello {first_name}, this is a reminder of your appointment. " + "Please call us if it does not suit you. " * 4


def codes(name: str, *, length: int) -> list[str]:
    """US codes of a table of places."""
    lines = (line.split("\t") for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line[0] != "#")
    return [code for code, region, *_ in lines if region.startswith("US-") and len(code) == length]


def contacts(rows: int) -> list[Mapping[str, object]]:
    """Made-up people of the whole country, in no order; the first so many are the same for each number of rows."""
    rng = random.Random(8)
    area_codes, zip_codes = codes("area_codes.tsv", length=3), codes("postal_codes.tsv", length=5)
    people: list[Mapping[str, object]] = [
        {
            "id": row,
            "phone": f"({rng.choice(area_codes)}) {200 + row // 10_000 % 700}-{row * 7919 % 10_000:04d}",
            "zip": rng.choice(zip_codes),
            "first_name": f"Ann {row}",
        }
        for row in range(rows)
    ]
    rng.shuffle(people)
    return people


def main() -> None:
    """Run once, and print the CPU of this process as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--ledger", required=True, help="a SQLAlchemy URL; none: a dry run without one")
    parser.add_argument("--url", default="http://127.0.0.1:9/v1", help="base URL of the vendor")
    parser.add_argument("--partition", type=Partition.parse)
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    ledger = None if options.ledger == "none" else open_ledger(options.ledger, may_create=True)
    plan = Plan(
        account=Account("bench-team", Secret("bench-secret"), options.url),
        campaign="again",
        partition=options.partition,
        template=RvmTemplate(brand_id="b" * 36, voice_id="v" * 36, tts_body=Template.parse(TEXT)),
        columns=ContactColumns(key_column="id", postal_code_column="zip"),
        hours=CallingHours.load(Mode.STATE, channel="rvm", message_kind="informational") if options.dry_run else None,
        concurrency=90,
        **({"caps": CAPS} if "caps" in signature(Plan).parameters else {"claim_rules": ClaimRules(caps=CAPS)}),
        callback_url="http://127.0.0.1:9",
        callback_secret=Secret("bench-callback"),
    )
    rows = contacts(options.rows)
    before = resource.getrusage(resource.RUSAGE_SELF)
    if options.dry_run:
        summary = preview_campaign(plan, ledger, rows=rows)
    elif ledger is not None:
        summary = run_campaign(plan, ledger, rows=rows, control=Control())
    after = resource.getrusage(resource.RUSAGE_SELF)
    if ledger is not None:
        ledger.engine.dispose()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            {"cpu_us": cpu_s / max(options.rows, 1) * 1e6, "counts": dict(summary.counts), "asked": summary.asked}
        )
    )


if __name__ == "__main__":
    main()
