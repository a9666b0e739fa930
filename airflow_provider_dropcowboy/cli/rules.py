"""``dropcowboy rules``: which laws decide who may be called, why, and how old the tables are."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli import connection, console, options

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dropcowboy.screening.rules import Hours, Rule, Rulebook

MAX_AGE: Final = timedelta(days=90)
"""Laws of four states changed within the 90 days before the tables were last checked."""

channel_option: Final = click.option(
    "--channel", type=click.Choice(["rvm", "sms"]), default="rvm", show_default=True, help="Voicemails or texts."
)


@click.group()
def rules() -> None:
    """Show which laws apply to whom, and their age.

    These are the rules that this package ships, with those of the file that [dropcowboy] calling_hours_rules names. Not
    legal advice.
    """


@rules.command()
@click.argument("region")
@options.as_json
def show(*, region: str, as_json: bool) -> None:
    """Show the laws of a region and of its country.

    REGION is like US-PA, CA-BC or GB. Hours, consent, bans, caps, source and date.
    """
    book = _load()
    found = [rule for rule in book.rules if rule.region in {region.upper(), region.upper()[:2]}]
    if not found:
        raise click.UsageError(f"No rule is for {region!r}. Write a country or a state, like US, US-PA or CA-BC.")
    if as_json:
        console.print_json([_as_json(rule) for rule in found])
        return
    console.print_table(
        ["place", "for", "what the law says", "law", "source"],
        [(rule.region, _channels(rule), _says(rule), _law(rule), _source(rule)) for rule in found],
        title=f"calling hours {book.version}",
    )


@rules.command()
@click.argument("number")
@click.option("--postal-code", metavar="CODE", help="Postal code of the row: the person may be there as well.")
@click.option("--at", callback=options.read_instant, metavar="TIME", help="Time to check, ISO 8601.  [default: now]")
@channel_option
@click.option(
    "--message-kind",
    type=click.Choice(["marketing", "informational"]),
    default="marketing",
    show_default=True,
    help="Bans and consent rules apply to marketing only.",
)
@click.option(
    "--mode", type=click.Choice(["state", "federal"]), default="state", show_default=True, help="As in calling_hours."
)
@options.region
@options.as_json
def check(
    *,
    number: str,
    postal_code: str | None,
    at: "datetime | None",
    channel: str,
    message_kind: str,
    mode: str,
    region: str,
    as_json: bool,
) -> None:
    """Show whether a number may be called, and why. The laws that apply are listed with their sources."""
    from airflow_provider_dropcowboy.clock import utcnow
    from airflow_provider_dropcowboy.contacts.key import read_postal_code

    phone = options.read_phone(number, region)
    code = read_postal_code(postal_code, region=region)
    if postal_code and code is None:
        raise click.UsageError(f"--postal-code {postal_code!r} is none. Write it like 90210 or K1A 0B1.")
    hours = connection.load_hours(mode, channel=channel, message_kind=message_kind)
    assert hours is not None  # it is not off
    moment = at or utcnow()
    ruling = hours.judge(phone.e164, postal_code=code, at=moment)
    laws = hours.laws(phone.e164, postal_code=code, at=moment)
    verdict = "banned" if ruling.is_banned else "open" if ruling.is_open else "held"
    if as_json:
        console.print_json(
            {
                "verdict": verdict,
                "closes_at": ruling.closes_at,
                "opens_at": ruling.opens_at,
                "consent": [str(need) for need in ruling.needs],
                "caps": [_cap(cap) for cap in ruling.caps],
                "regions": list(ruling.regions),
                "zones": list(ruling.zones),
                "rule": ruling.rule,
                "laws": [_as_json(rule) for rule in laws],
            }
        )
        return
    console.print_pairs(
        [
            ("number", str(phone)),
            ("at", moment),
            ("may be in", ", ".join(ruling.regions) or "no place"),
            ("by the clocks of", ", ".join(ruling.zones) or "no zone"),
            ("verdict", verdict),
            ("until", ruling.closes_at),
            ("next opening", ruling.opens_at),
            ("only with", "; ".join(map(str, ruling.needs)) or None),
            ("at most", "; ".join(_cap(cap) for cap in ruling.caps) or None),
            ("why", ruling.rule),
        ]
    )
    click.echo()
    console.print_table(
        ["place", "what the law says", "law", "source"],
        [(rule.region, _says(rule), _law(rule), _source(rule)) for rule in laws],
    )


@rules.command()
@click.argument("old", type=options.FILE)
@click.argument("new", type=options.FILE, required=False)
def diff(*, old: Path, new: Path | None) -> None:
    """Show the changes from one rules file to another.

    Whole files, or files that extend the shipped rules. NEW defaults to the rules in force here. A line with - no
    longer applies, one with + is new.
    """
    before, after = (_read(old), _load() if new is None else _read(new))
    click.echo(f"calling hours {before.version} → {after.version}")
    gone, come = _lines(before), _lines(after)
    for line in sorted(gone ^ come, key=lambda line: (line.split(":")[0], line in come)):
        click.echo(f"{'+' if line in come else '-'} {line}")
    if before.holidays_until != after.holidays_until:
        click.echo(f"holidays are known until {before.holidays_until} → {after.holidays_until}")
    for region in sorted(before.holidays.keys() | after.holidays.keys()):
        was, now = (_days(book, region) for book in (before, after))
        for sign, days in (("-", was - now), ("+", now - was)):
            if days:
                click.echo(f"{sign} {region} holidays: {', '.join(sorted(map(str, days)))}")


@rules.command()
@click.option(
    "--max-age",
    callback=options.read_time,
    default="90d",
    show_default=True,
    metavar="TIME",
    help="Older rules are stale.",
)
def stale(*, max_age: timedelta) -> None:
    """Show how old the rules are. Also unverified laws and the known holidays. Exit code 1 if it is time to update."""
    from airflow_provider_dropcowboy.clock import utcnow
    from airflow_provider_dropcowboy.screening.places import zone_rules

    book, today = _load(), utcnow().date()
    click.echo(f"calling hours {book.version}, checked {_age(book, today)}; time zones {zone_rules().version}")
    for rule in book.rules:
        if rule.confidence == "G":
            click.echo(f"unverified: {rule.label}: {_says(rule)}. {rule.why}")
    for rule in book.rules:
        if rule.checked and today - rule.checked > max_age:
            click.echo(f"old: {rule.label} was last checked on {rule.checked}")
    click.echo(f"holidays are known until {book.holidays_until}, {(book.holidays_until - today).days} days from now")
    if is_stale(book, today, max_age=max_age):
        click.echo(
            "It is time: install a newer version of this package, and have counsel look at the changes.", err=True
        )
        raise click.exceptions.Exit(console.ExitCode.UNFINISHED)


def is_stale(book: "Rulebook", today: date, *, max_age: timedelta = MAX_AGE) -> bool:
    """Whether the tables are older than that, or their holidays end within that time."""
    return (book.as_of is None or today - book.as_of > max_age) or book.holidays_until - today < max_age


def _age(book: "Rulebook", today: date) -> str:
    return "on a day that nobody wrote down" if book.as_of is None else f"{(today - book.as_of).days} days ago"


def _load() -> "Rulebook":
    from airflow_provider_dropcowboy.screening.rule_files import load_rulebook

    return load_rulebook(connection.load_own_rules())


def _read(path: Path) -> "Rulebook":
    """A whole file says when it was checked; a file that extends the shipped rules does not."""
    import tomllib

    from airflow_provider_dropcowboy.screening.rule_files import load_rulebook, read_rulebook

    text = path.read_text(encoding="utf-8")
    try:
        is_whole = "as_of" in tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{path} is not valid TOML: {error}.") from None
    return read_rulebook(text) if is_whole else load_rulebook(text)


def _lines(book: "Rulebook") -> set[str]:
    return {
        f"{rule.region} {channel}: {_says(rule)} ({rule.cite})"
        for rule in book.rules
        for channel in sorted(rule.channels)
    }


def _days(book: "Rulebook", region: str) -> set[date]:
    return {day for days in book.holidays.get(region, {}).values() for day in days}


def _says(rule: "Rule") -> str:
    return "; ".join(_words(rule))


def _words(rule: "Rule") -> Iterator[str]:
    if rule.is_about_hours:
        yield ", ".join(_week(rule.week))
    if rule.keeps_holidays:
        yield f"holidays {_hours(rule.holiday)}"
    if rule.zones != ("called_party",):
        yield f"on the clocks of {', '.join(rule.zones)}"
    yield from (f"at most {_cap(cap)}" for cap in rule.caps)
    if rule.ban:
        yield "no sales messages to mobiles" if rule.ban == "mobile" else "no recorded sales messages"
    if rule.consent:
        yield f"sales messages only with consent: {' or '.join('+'.join(sorted(kinds)) for kinds in rule.consent)}"
    if rule.opt_out:
        yield f"an opt-out lasts {rule.opt_out.days} days at least"
    if rule.effective_from:
        yield f"from {rule.effective_from}"
    if rule.effective_until:
        yield f"until {rule.effective_until}"


def _week(week: "Sequence[Hours | None]") -> Iterable[str]:
    weekdays, saturday, sunday = map(_hours, (week[0], week[5], week[6]))
    if weekdays == saturday == sunday:
        return [f"every day {weekdays}"]
    return [f"Mon-Fri {weekdays}", f"Sat {saturday}", f"Sun {sunday}"]


def _hours(hours: "Hours | None") -> str:
    if hours is None:
        return "closed"
    begins, ends = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in hours)
    return "at any time" if (begins, ends) == ("00:00", "24:00") else f"{begins}-{ends}"


def _cap(cap: tuple[int, timedelta]) -> str:
    count, window = cap
    hours = int(window.total_seconds() // 3600)
    return f"{count} in {window.days} days" if hours > 48 else f"{count} in {hours} hours"


def _channels(rule: "Rule") -> str:
    return "both" if len(rule.channels) == 2 else next(iter(rule.channels))


def _law(rule: "Rule") -> str:
    return f"{rule.cite}{': ' if rule.why else ''}{rule.why}"


def _source(rule: "Rule") -> str:
    return f"{rule.confidence}, {rule.checked or 'no date'}: {rule.source}"


def _as_json(rule: "Rule") -> "dict[str, console.Cell]":
    return {
        "region": rule.region,
        "channels": ", ".join(sorted(rule.channels)),
        "says": _says(rule),
        "law": rule.cite,
        "why": rule.why or None,
        "source": rule.source,
        "checked": str(rule.checked) if rule.checked else None,
        "confidence": rule.confidence,
    }
