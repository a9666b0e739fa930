"""Print the verdicts on a CSV file of contacts by state, as a table: ``python -m tools.show_verdicts FILE``.

The columns are those of a usual US table: ``state``, ``zip``, and every column that begins with ``phone``.
"""

import argparse
import csv
import sys
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code
from airflow_provider_dropcowboy.phone import Phone, PhoneError
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode, Ruling

NEW_YORK = ZoneInfo("America/New_York")


def verdict(ruling: Ruling) -> str:
    """The ruling in a word, as New York's clock shows it."""
    if ruling.is_banned:
        return "banned"
    if ruling.closes_at:
        return f"until {ruling.closes_at.astimezone(NEW_YORK):%H:%M}"
    return f"from {ruling.opens_at.astimezone(NEW_YORK):%a %H:%M}" if ruling.opens_at else "held"


def main() -> None:
    """One line a state: its rows, and how many are open until when, held until when, banned or invalid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--at", type=datetime.fromisoformat, default=datetime(2026, 11, 24, 11, tzinfo=NEW_YORK))
    options = parser.parse_args()
    hours = {name: CallingHours.load(Mode.STATE, channel=name, message_kind="marketing") for name in ("rvm", "sms")}
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    with options.file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for column in (name for name in row if name.startswith("phone")):
                counts[row["state"]]["rows"]["rows"] += 1
                for channel, rules in hours.items():
                    try:
                        e164 = Phone.parse(row[column], region="US").e164
                    except PhoneError:
                        counts[row["state"]][channel]["invalid"] += 1
                        continue
                    ruling = rules.judge(e164, postal_code=read_postal_code(row["zip"], region="US"), at=options.at)
                    counts[row["state"]][channel][verdict(ruling)] += 1
    out = sys.stdout
    out.write(f"At {options.at.astimezone(NEW_YORK):%A %Y-%m-%d %H:%M} in New York; all times are New York's.\n\n")
    out.write("| state | numbers | voicemail | text |\n|---|---|---|---|\n")
    for state, by_channel in sorted(counts.items()):
        cells = [", ".join(f"{n} {what}" for what, n in by_channel[name].most_common()) for name in hours]
        out.write(f"| {state} | {by_channel['rows'].total()} | {' | '.join(cells)} |\n")
    for name in hours:
        total = Counter(what.split()[0] for by in counts.values() for what in by[name].elements())
        out.write(f"\n{name}: {', '.join(f'{n} {what}' for what, n in total.most_common())}\n")


if __name__ == "__main__":
    main()
