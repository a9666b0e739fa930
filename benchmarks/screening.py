"""How many rows a second one core judges: ``python -m benchmarks.screening``; the goal is 20,000.

Calling hours with the area codes and postal codes of the whole country, a million suppressed numbers, and a lookup of
what each number was sent before. The set and the dict stand for what the ledger and the suppression list answer.
"""

import argparse
import random
import resource
import time
from datetime import UTC, datetime, timedelta

from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import DATA

GOAL_PER_S = 20_000
SUPPRESSED = 1_000_000
BEGIN_AT = datetime(2026, 11, 24, 16, tzinfo=UTC)


def codes(name: str, *, length: int) -> list[str]:
    """US codes of a table of places."""
    lines = (line.split("\t") for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line[0] != "#")
    return [code for code, region, _ in lines if region.startswith("US-") and len(code) == length]


def contacts(rows: int, rng: random.Random) -> list[tuple[str, str]]:
    """Made-up numbers with postal codes that do not fit them: the widest choice of places."""
    area_codes = codes("area_codes.tsv", length=3)
    zip_codes = codes("postal_codes.tsv", length=5)
    return [
        (f"+1{rng.choice(area_codes)}{rng.randrange(2_000_000, 9_999_999)}", rng.choice(zip_codes)) for _ in range(rows)
    ]


def main() -> None:
    """Measure calling hours alone, then with suppression and caps, then with parsing, and print rows a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    rng = random.Random(8)
    people = contacts(options.rows, rng)
    suppressed = {f"+1{rng.randrange(2_000_000_000, 9_999_999_999)}" for _ in range(SUPPRESSED)}
    attempts = {e164: rng.randrange(4) for e164, _ in people[::3]}
    step = timedelta(seconds=1 / 500)  # the day goes on while a campaign of 500 rows a second runs

    def hours_alone() -> int:
        hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing")
        return sum(
            hours.judge(e164, postal_code=zip_code, at=BEGIN_AT + number * step).is_open
            for number, (e164, zip_code) in enumerate(people)
        )

    def screened(e164: str, zip_code: str, hours: CallingHours, at: datetime) -> bool:
        if e164 in suppressed:
            return False
        ruling = hours.judge(e164, postal_code=zip_code, at=at)
        return ruling.is_open and all(attempts.get(e164, 0) < count for count, _ in ((3, None), *ruling.caps))

    def with_the_rest() -> int:
        hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing")
        return sum(screened(*person, hours, BEGIN_AT + number * step) for number, person in enumerate(people))

    def from_text() -> int:
        hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing")
        kept = 0
        for number, (text, zip_code) in enumerate(people[: options.rows // 10]):
            try:
                e164 = Phone.parse(text, region="US").e164
            except ValueError:
                continue
            kept += screened(e164, zip_code, hours, BEGIN_AT + number * step)
        return kept

    for name, rows, measured in (
        ("calling hours", options.rows, hours_alone),
        ("+ suppression of 1M and caps", options.rows, with_the_rest),
        ("+ reading the numbers", options.rows // 10, from_text),
    ):
        begun_s = time.process_time()
        kept = measured()
        rate_per_s = rows / (time.process_time() - begun_s)
        ratio = rate_per_s / GOAL_PER_S
        print(f"{name:30} {rate_per_s:>10,.0f} rows/s  {ratio:5.1f} x the goal  {kept:,} of {rows:,} open")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the lists included")


if __name__ == "__main__":
    main()
