"""Claims and reports on PostgreSQL while the ledger grows: ``python -m benchmarks.growth``.

One ledger is filled to each size in turn, and the same is measured there: a new campaign is claimed and recorded, and
then reported. It takes some minutes, and more than half a gigabyte of disk for each million sends.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import md5, sha256
from itertools import count
from statistics import median
from typing import Final

import sqlalchemy as sa
from rich.console import Console
from rich.table import Column, Table

from airflow_provider_dropcowboy.api.content import Channel, Rvm
from airflow_provider_dropcowboy.api.wire import ACCEPTED
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, bind_campaign, find_campaign
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import Ledger, now, open_ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.outcomes import Answered, record
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run, end_run
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.reports.results import Outcomes, read_funnel, read_outcomes
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
from benchmarks.filled import ACCOUNT, fill
from tests.postgres_server import PostgresServer

SIZES: Final = (0, 1_000_000, 5_000_000, 20_000_000)
SENDS: Final = 20_000
"""Of the campaign that is measured."""
BATCH: Final = 100
REPEATS: Final = 5
RULES: Final = ClaimRules(repeat_window=timedelta(hours=20))
"""As the operators have it."""

_CAMPAIGNS: Final = count(1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of ``REPEATS`` campaigns.

    :param claims_per_s: claimed, and recorded as accepted.
    :param report_s: ``dropcowboy report`` of one of these campaigns.
    :param counts_s: where the largest campaign of the ledger stands: what the sensor and the report page ask.
    :param bytes_a_send: of disk, by what was filled in before; None: nothing was.
    """

    claims_per_s: float
    report_s: float
    counts_s: float
    bytes_a_send: float | None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sends in the ledger, ascending")
    options = parser.parse_args()
    table = Table(
        Column("sends in the ledger", no_wrap=True),
        *("claims a second", "ratio", "report, ms", "ratio", "counts, ms", "ratio", "GB a million"),
        title=f"PostgreSQL; campaigns of {SENDS:,}, in batches of {BATCH}, median of {REPEATS}",
    )
    with PostgresServer() as server:
        found = measure_all(server.url(server.create_database()), options.sizes)
    for size, each in zip(options.sizes, found, strict=True):
        table.add_row(
            f"{size:,}",
            f"{each.claims_per_s:,.0f}",
            f"{each.claims_per_s / found[0].claims_per_s:.2f}",
            f"{each.report_s * 1_000:.0f}",
            f"{each.report_s / found[0].report_s:.2f}",
            f"{each.counts_s * 1_000:.1f}",
            f"{each.counts_s / found[0].counts_s:.2f}",
            "" if each.bytes_a_send is None else f"{each.bytes_a_send / 1_000:.2f}",
        )
    Console().print(table)


def measure_all(url: str, sizes: Sequence[int]) -> list[Measured]:
    """At each size in turn."""
    ledger = open_ledger(url, may_create=True)
    found, filled = [], 0
    for size in sizes:
        before = size_of(ledger)
        if size > filled:
            fill(url, size - filled)
        bytes_a_send = (size_of(ledger) - before) / (size - filled) if size > filled else None
        filled = size
        found.append(measure(ledger, bytes_a_send))
    ledger.engine.dispose()
    return found


def measure(ledger: Ledger, bytes_a_send: float | None) -> Measured:
    """At the size it has."""
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")  # else what the filling left is written while it is measured
    campaign = send(ledger)  # warms the caches
    largest = find_campaign(ledger, ACCOUNT, name="filled 0001", channel=Channel.RVM)
    claims, reports, counts = [], [], []
    for _ in range(REPEATS):
        claims.append(SENDS / clock(lambda: send(ledger)))
        reports.append(clock(lambda: read_funnel(ledger, campaign)))
        counts.append(clock(lambda: read_counts(ledger, largest or campaign)))
    return Measured(median(claims), median(reports), median(counts), bytes_a_send)


def send(ledger: Ledger) -> Campaign:
    """A new campaign, claimed and recorded as a run does it, but nobody is asked."""
    name = f"measured {next(_CAMPAIGNS)}"
    prefix = md5(name.encode()).hexdigest()[:12]
    campaign = bind_campaign(ledger, ACCOUNT, name=name, channel=Channel.RVM, prefix=prefix)
    run = begin_run(ledger, campaign, who=Who(task_id="growth"), wanted=BATCH)
    for first in range(0, SENDS, BATCH):
        candidates = [Candidate(message(campaign, index)) for index in range(first, first + BATCH)]
        judgement = claim(ledger, run, candidates=candidates, claim_id=new_claim_id(), rules=RULES)
        assert len(judgement.claimed) == BATCH
        record(ledger, run, answered=[Answered(claimed, ACCEPTED) for claimed in judgement.claimed])
    end_run(ledger, run, counts={"accepted": SENDS}, reason=None)
    return campaign


def message(campaign: Campaign, index: int) -> Message:
    """To somebody of the campaign's own: its number and content are in no other one."""
    name = f"{campaign.name}/{index}"
    return Message(
        foreign_id=campaign.prefix + sha256(name.encode()).hexdigest()[:36],
        contact_key=str(index),
        phone=Phone(f"+1504{2_000_000 + index}"),
        content=Rvm(brand_id="b", voice_id="v", tts_body="hello"),
        number_digest=md5(name.encode()).hexdigest(),
        content_digest=md5(campaign.name.encode()).hexdigest(),
    )


def read_counts(ledger: Ledger, campaign: Campaign) -> Outcomes:
    """Where its sends stand, by the counts that the database keeps."""
    with ledger.reading() as connection:
        return read_outcomes(connection, campaign, at=now(connection))


def clock(act: Callable[[], object]) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def size_of(ledger: Ledger) -> int:
    """Bytes of the whole database."""
    with ledger.reading() as connection:
        size: int = connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one()
    return size


if __name__ == "__main__":
    main()
