"""This package's own pipeline, a process a run: ``python -m benchmarks.ours --rows 20000 --url … --ledger sqlite``."""

import argparse
import asyncio
import csv
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pyarrow.csv
import pyarrow.parquet
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign import claiming, ending, run
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Deadline
from airflow_provider_dropcowboy.contacts.contact import ContactColumns, Template
from airflow_provider_dropcowboy.contacts.files import read_rows
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.contacts.sql import stream_rows
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import LEASE

TEXT = "Hello {first_name}, this is a reminder of your appointment. " + "Please call us if it does not suit you. " * 4
LAG_SAMPLE_S = 0.005


def contacts(rows: int) -> Iterator[Mapping[str, object]]:
    """Made-up people; numbers that are valid and in no order."""
    for row in range(rows):
        yield {"id": row, "phone": f"(212) {200 + row // 10_000 % 700}-{row * 7919 % 10_000:04d}", "first_name": "Ann"}


@contextmanager
def source(kind: str, rows: int) -> Iterator[Iterator[Mapping[str, object]]]:
    """The same people from where a user keeps them.

    :param kind: ``made``, the path of a file, or the URL of a PostgreSQL database that ``store`` filled.
    """
    if kind == "made":
        yield contacts(rows)
    elif "://" in kind:
        address = sa.make_url(kind).set(drivername="postgresql").render_as_string(hide_password=False)
        query = f"SELECT id, phone, first_name FROM contacts WHERE id < {rows}"
        with closing(stream_rows(partial(psycopg.connect, address), query)) as found:
            yield found
    else:
        with Path(kind).open("rb") as file:
            yield read_rows(file, kind)


def store(folder: Path, postgres_url: str, rows: int) -> dict[str, str]:
    """The people in a CSV file, a Parquet file and a table; ``source`` reads them."""
    csv_file, parquet_file = folder / f"{rows}.csv", folder / f"{rows}.parquet"
    with csv_file.open("w") as lines:
        writer = csv.DictWriter(lines, ("id", "phone", "first_name"))
        writer.writeheader()
        writer.writerows(contacts(rows))
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(csv_file), parquet_file, row_group_size=20_000)
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS contacts (id integer, phone text, first_name text)")
        connection.exec_driver_sql("DELETE FROM contacts")
        driver = connection.connection.driver_connection
        assert driver is not None
        cursor = driver.cursor()
        with cursor.copy("COPY contacts FROM STDIN") as copy:
            for person in contacts(rows):
                copy.write_row(list(person.values()))
    engine.dispose()
    return {"CSV": str(csv_file), "Parquet": str(parquet_file), "PostgreSQL": postgres_url}


def switch_the_ledger_off() -> None:
    """Only here: claims and records cost nothing, so that the rest of the pipeline is measured."""

    def claim(_ledger: object, _run: object, *, candidates: list[Candidate], **_: object) -> tuple[Judgement, Deadline]:
        return Judgement(claimed=[Claim(each, 1, "") for each in candidates]), SYSTEM_CLOCK.deadline(LEASE)

    claiming.claim_patiently = claim  # type: ignore[attr-defined]
    claiming.record_patiently = lambda _ledger, _run, **_: 0  # type: ignore[attr-defined]
    claiming.record_and_claim = lambda *given, **named: (0, claim(*given, **named)[0])  # type: ignore[attr-defined]
    ending.count_run = lambda _ledger, _run: Counter()  # type: ignore[attr-defined]
    Tally.balance = lambda _tally, _recorded, **_: None


def peak_rss_mb() -> float:
    """Of this process alone: ``ru_maxrss`` begins with what the process that started it had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Lag:
    """How long the event loop kept others waiting.

    Counts, not a list: that of an hour takes 25 MB, which would count as the run's memory.
    """

    def __init__(self) -> None:
        self.samples: Counter[int] = Counter()

    def watch(self) -> None:
        """Sample it in every loop that a pipeline runs in."""
        measured = run.Pipeline.run

        async def sampled(engine: run.Pipeline) -> None:
            sampling = asyncio.create_task(self._sample())
            try:
                await measured(engine)
            finally:
                sampling.cancel()

        run.Pipeline.run = sampled

    def p99_ms(self) -> float:
        """The lag that one sample in a hundred exceeds."""
        longest = self.samples.total() // 100
        for tenths_ms, count in sorted(self.samples.items(), reverse=True):
            longest -= count
            if longest < 0:
                return tenths_ms / 10
        return 0.0

    async def _sample(self) -> None:
        while True:
            begun_at = time.perf_counter()
            await asyncio.sleep(LAG_SAMPLE_S)
            self.samples[round((time.perf_counter() - begun_at - LAG_SAMPLE_S) * 10_000)] += 1


def at_server(url: str) -> tuple[Account, RvmTemplate]:
    """What a vendor of constant answers is sent."""
    template = RvmTemplate(brand_id="b" * 36, voice_id="v" * 36, tts_body=Template.parse(TEXT))
    return Account("bench-team", Secret("bench-secret"), url), template


def at_sandbox(api: str, url: str) -> tuple[Account, RvmTemplate]:
    """What the sandbox accepts by a version of the API."""
    is_v1 = api == "v1"
    account = Account("sandbox-team" if is_v1 else "sandbox-key", Secret("sandbox-secret"), url, api_version=api)
    return account, RvmTemplate(brand_id=BRAND_ID if is_v1 else None, recording_id=RECORDING_ID)


def main() -> None:
    """Run once and print what it took, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--url", required=True, help="base URL of the vendor")
    parser.add_argument("--ledger", required=True, help="off, sqlite, or a SQLAlchemy URL")
    parser.add_argument("--source", default="made")
    parser.add_argument("--connections", type=int, default=99)
    parser.add_argument("--campaign", default=f"bench {time.time()}")
    parser.add_argument("--sandbox-api", choices=("v1", "v2"), help="the vendor is the sandbox, by this version")
    parser.add_argument("--callback-url", default="http://127.0.0.1:9")
    parser.add_argument("--callback-secret", default="bench-callback")
    parser.add_argument("--partition", type=Partition.parse, help="such as 1/4: one of several processes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.ledger == "off":
            switch_the_ledger_off()
        is_url = "://" in options.ledger
        ledger = open_ledger(options.ledger if is_url else f"sqlite:///{Path(folder) / 'ledger.db'}", may_create=True)
        account, template = (
            at_sandbox(options.sandbox_api, options.url) if options.sandbox_api else at_server(options.url)
        )
        plan = Plan(
            account=account,
            campaign=options.campaign,
            partition=options.partition,
            template=template,
            columns=ContactColumns(key_column="id"),
            concurrency=options.connections,
            max_concurrency=options.connections,
            callback_url=options.callback_url,
            callback_secret=Secret(options.callback_secret),
        )
        lag = Lag()
        lag.watch()
        with source(options.source, options.rows) as rows:
            before = resource.getrusage(resource.RUSAGE_SELF)
            summary = run.run_campaign(plan, ledger, rows=rows, control=Control())
            after = resource.getrusage(resource.RUSAGE_SELF)
        ledger.engine.dispose()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    measured = {
        "rate_per_s": summary.rate_per_s,
        "seconds": summary.seconds,
        "cpu_s_per_10k": cpu_s / options.rows * 10_000,
        "peak_rss_mb": peak_rss_mb(),
        "lag_p99_ms": lag.p99_ms(),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
