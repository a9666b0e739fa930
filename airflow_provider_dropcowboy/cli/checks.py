"""What ``dropcowboy doctor`` looks at, in the order in which a run would need it."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, Literal

from sqlalchemy import URL

from airflow_provider_dropcowboy.api.account import Account, is_local
from airflow_provider_dropcowboy.api.callbacks import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.reading import http_date
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, NotWritten
from airflow_provider_dropcowboy.cli import connection, rules
from airflow_provider_dropcowboy.cli.console import DISTRIBUTION
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import DropCowboyError, NoLedgerError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.hooks.ledger import SPREADING_EXECUTORS
from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of, other_names
from airflow_provider_dropcowboy.ledger.database import HEAD, Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.health import MAX_CLOCK_SKEW
from airflow_provider_dropcowboy.ledger.postgres import check_driver
from airflow_provider_dropcowboy.ledger.upkeep import clock_skew, commit_s
from airflow_provider_dropcowboy.screening.places import ZoneRules, installed_copies, is_older, load_places
from airflow_provider_dropcowboy.screening.rule_files import load_rulebook
from airflow_provider_dropcowboy.screening.rules import Rulebook
from airflow_provider_dropcowboy.transport.calls import host_of, read_access
from airflow_provider_dropcowboy.transport.client import probe

SLOW_COMMIT_S: Final = 0.5
"""A batch of claims is as large as the connections in use: at half a second a batch, the ledger slows the wire."""

TRIGGERER_SILENT_AFTER: Final = timedelta(seconds=60)
EXTRAS: Final = {"postgres": ("psycopg",), "receiver": ("uvicorn", "prometheus_client"), "files": ("pyarrow",)}

Mark = Literal["ok", "WARN", "FIX"]
OK: Final = "ok"
WARN: Final = "WARN"  # nothing is wrong yet, and someone should look
FIX: Final = "FIX"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``dropcowboy doctor``: its text says what is well, or what is not and what to do."""

    about: str
    mark: Mark
    text: str


def examine(conn: str) -> Iterator[Finding]:
    """Every check, one after the other; a failed one leaves out those that stand on it."""
    try:
        settings = connection.load_settings(conn)
    except DropCowboyError as error:
        yield Finding("connection", FIX, str(error))
    else:
        yield Finding("connection", OK, f"{conn} is account {settings.account.name}")
        yield from _examine_api(settings)
        yield from _examine_ledger(settings)
        yield look_at_receiver(settings)
        yield look_at_prices(settings)
    yield look_at_triggerer(connection.triggerer_beat())
    yield look_at_extras()
    today = utcnow().date()
    yield _checked("calling hours", lambda: look_at_rules(load_rulebook(connection.load_own_rules()), today=today))
    yield look_at_zones(installed_copies(), needed=load_places().zone_version)
    airflow, python = version("apache-airflow"), platform.python_version()
    yield Finding("versions", OK, f"{DISTRIBUTION} {version(DISTRIBUTION)}, apache-airflow {airflow}, Python {python}")


def look_at_receiver(settings: ConnectionSettings) -> Finding:
    """Whether the callback URL leads to a receiver that knows the connection's secret. Nothing is stored there."""
    base_url, secret = settings.callback_url, settings.callback_secret
    if base_url is None:
        text = (
            "no callback_url: results of messages that are sent now will never be known. Run `dropcowboy receiver`, "
            "and set callback_url and callback_secret."
        )
        return Finding("receiver", WARN, text)
    if secret is None:
        text = (
            f"no callback_secret: results go to {base_url} without a signature, and the ledger learns none of them. "
            "Set callback_secret."
        )
        return Finding("receiver", WARN, text)
    mark: Mark = FIX
    # a token of no message: whoever has it can report no result
    match probe(CallbackUrls(base_url, secret).url(Ticket("doctor", 0)), verify=settings.verify):
        case NotWritten(why=why):
            text = (
                f"{base_url} was not reached from this machine: {why}. Start `dropcowboy receiver`, look at its "
                "proxy, or correct callback_url. If only this machine cannot reach it, try from outside."
            )
        case reply if reply.status == HTTPStatus.OK:
            mark, text = OK, f"{base_url} is reached from this machine, and knows the callback_secret"
        case reply if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
            text = (
                f"{base_url} answers, but its receiver found no connection or ledger: its own /ready says what is "
                "wrong (HTTP 503)."
            )
        case reply if reply.status == HTTPStatus.NOT_FOUND and _is_receiver(base_url, settings):
            text = (
                f"the receiver at {base_url} does not know the connection's callback_secret, and would refuse "
                "every result. Start it with this connection (--conn; in Airflow [dropcowboy] receiver_conn_ids), "
                "or wait a minute if the secret was just changed."
            )
        case reply:
            text = (
                f"{base_url} is reached, but something else answers there (HTTP {reply.status}). Correct "
                "callback_url, or let the proxy pass /callbacks/ on to the receiver."
            )
    return Finding("receiver", mark, text)


def compare_clocks(whose: str, skew: timedelta) -> Finding:
    """Whether another clock agrees with this machine's; ``skew`` is by how much it is ahead."""
    differs = f"this machine's clock and {whose} differ by {abs(skew.total_seconds()):.0f} s"
    if abs(skew) > MAX_CLOCK_SKEW:
        return Finding("clock", FIX, f"{differs}. Set them by NTP: calling hours and leases need one time.")
    return Finding("clock", OK, differs)


def look_at_rules(book: Rulebook, *, today: date) -> Finding:
    """How old the laws are by which people are called; the check warns, since a law may change on any day."""
    age = "on no known day" if book.as_of is None else f"{(today - book.as_of).days} days ago"
    text = f"the rules {book.version} were checked {age}, and know holidays until {book.holidays_until}"
    if not rules.is_stale(book, today):
        return Finding("calling hours", OK, text)
    return Finding("calling hours", WARN, f"{text}. Install a newer version; `dropcowboy rules stale` says more.")


def look_at_zones(copies: Sequence[ZoneRules], *, needed: str) -> Finding:
    """Which copy of the time zone rules decides calling hours, and which are not used.

    :param copies: the newest first.
    :param needed: the version that the tables of places were made with.
    """
    newest, *others = copies
    if is_older(newest.version, needed):
        text = f"the newest rules are {newest.version}, in {newest.origin}, and calling hours need {needed}. "
        return Finding("time zones", FIX, f"{text}Run `pip install --upgrade tzdata`.")
    unused = "".join(
        f"; {copy.origin} has {'the older ' if is_older(copy.version, newest.version) else ''}{copy.version}, not used"
        for copy in others
    )
    return Finding("time zones", OK, f"calling hours use {newest.version}, from {newest.origin}{unused}")


def look_at_prices(settings: ConnectionSettings) -> Finding:
    """Whether costs are known: forecasts, ``budget_usd`` and the page need them."""
    missing = " and no ".join(name for name in ("price_rvm_usd", "price_sms_usd") if getattr(settings, name) is None)
    if missing:
        text = f"no {missing}: no cost is forecast, and budget_usd is refused. Set your prices."
        return Finding("prices", WARN, text)
    return Finding("prices", OK, f"${settings.price_rvm_usd} a voicemail, ${settings.price_sms_usd} a text")


def look_at_triggerer(beat_at: datetime | None) -> Finding:
    """Whether a triggerer lives: tasks that wait for calling hours, and deferrable sensors, need one.

    :param beat_at: aware; the last sign of life of one. None: Airflow's database knows of none, or is not reached.
    """
    if beat_at is not None and utcnow() - beat_at <= TRIGGERER_SILENT_AFTER:
        return Finding("triggerer", OK, "alive: tasks can wait for calling hours")
    text = (
        "none is alive, as far as Airflow's database says: a task that waits for calling hours would wait forever. "
        "Start `airflow triggerer`. `dropcowboy send` and dag.test() need none."
    )
    return Finding("triggerer", WARN, text)


def look_at_extras() -> Finding:
    """Which optional parts of the package are installed."""
    there = {name: all(find_spec(module) for module in modules) for name, modules in EXTRAS.items()}
    missing = ",".join(name for name, is_there in there.items() if not is_there)
    text = f"installed: {', '.join(name for name, is_there in there.items() if is_there) or 'none'}"
    return Finding("extras", OK, f"{text}; for more, pip install '{DISTRIBUTION}[{missing}]'" if missing else text)


def _examine_api(settings: ConnectionSettings) -> Iterator[Finding]:
    account = settings.account
    call = vendor_of(account).access(settings.default_brand_id)
    try:
        with connection.client_of(settings) as client:
            reply = client.call(call.request)
        access = read_access(account, call, reply)
    except DropCowboyError as error:
        yield Finding("API", FIX, str(error))
        return
    yield Finding("API", OK, f"{host_of(account)} accepts the credentials")
    shown = http_date(reply.date or "") if isinstance(reply, Answer) else None
    silent = Finding("clock", OK, "the API did not say what time it has")
    yield silent if shown is None else compare_clocks("the API's", shown - utcnow())
    yield Finding(access.about, OK if access.is_ready else FIX, access.text)
    if settings.default_pool_id is not None:
        yield _checked("default pool", lambda: _pool(settings, str(settings.default_pool_id)))


def _pool(settings: ConnectionSettings, default: str) -> Finding:
    if default in {pool.pool_id for pool in connection.fetch(settings, vendor_of(settings.account).pools())}:
        return Finding("default pool", OK, "default_pool_id is a pool of the account")
    text = "default_pool_id is not a pool of the account. `dropcowboy pools` lists them; set another."
    return Finding("default pool", FIX, text)


def _examine_ledger(settings: ConnectionSettings) -> Iterator[Finding]:
    try:
        url = connection.ledger_url_of(settings)
        yield (kind := _kind(url))
        if kind.mark == FIX:
            return
        ledger = open_ledger(url)
    except NoLedgerError:
        yield Finding("ledger", OK, "empty or not there yet: the first send sets it up")
    except DropCowboyError as error:
        yield Finding("ledger", FIX, str(error))
    else:
        yield Finding("ledger", OK, f"{ledger.ledger_id} with schema {HEAD}")
        yield _checked("account", lambda: _account(settings.account, ledger))
        yield _checked("ledger", lambda: compare_clocks("the ledger's", clock_skew(ledger)))
        yield _checked("ledger", lambda: _latency(commit_s(ledger)))


def _kind(url: URL) -> Finding:
    name, place = connection.executor(), connection.redacted_url(url)
    is_file = url.get_backend_name() == "sqlite"
    if is_file and any(part in name for part in SPREADING_EXECUTORS):
        text = (
            f"{place} is a file of this machine, but {name} may run a task on another one. "
            "Use PostgreSQL: set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL."
        )
        return Finding("ledger", FIX, text)
    check_driver(url)
    if is_file and (why := _unwritable(Path(url.database or ""))) is not None:
        text = (
            f"{place} cannot be written: {why}. Make its folder writable for this user, or set "
            "ledger_conn_id or DROPCOWBOY_LEDGER_URL to another place."
        )
        return Finding("ledger", FIX, text)
    return Finding("ledger", OK, f"{place} suits {name}")


def _unwritable(path: Path) -> str | None:
    """Why a file cannot be made or written there; None: it can. Nothing stays there."""
    if path.exists():
        return None if path.is_file() and os.access(path, os.W_OK) else f"{path} is not a file that this user may write"
    folder = next(parent for parent in path.parents if parent.exists())
    try:
        with TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"{folder}: {error.strerror}"


def _account(account: Account, ledger: Ledger) -> Finding:
    """Whether the ledger remembers the team's sends under the name that the connection has now."""
    others = other_names(ledger, account.name, team_id=account.login)
    # a trial on the sandbox is no move: it is under another name on purpose
    others = {name: count for name, count in others.items() if is_local(name) == is_local(account.name)}
    if not others:
        return Finding("account", OK, f"{account.name} is the only name of this team in the ledger")
    known = ", ".join(f"{name} ({count} campaigns)" for name, count in others.items())
    if account.given_name and campaigns_of(ledger, account.name):
        return Finding("account", OK, f"{account.name}, as the connection says; the ledger also knows {known}")
    text = (
        f"the connection is account {account.name}, and the ledger knows this team as {known}. Whoever was contacted "
        "under another name can be contacted again. If it is one account that has moved, set account in the "
        f'connection\'s extra: {{"account": "{next(iter(others))}"}}. If not, set it to "{account.name}".'
    )
    return Finding("account", FIX, text)


def _latency(commit_s: float) -> Finding:
    text = f"a transaction like a claim takes {commit_s * 1000:.0f} ms"
    if commit_s > SLOW_COMMIT_S:
        text += ": it will slow sending down. Bring the database nearer, or look at its load."
    return Finding("ledger", FIX if commit_s > SLOW_COMMIT_S else OK, text)


def _checked(about: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except DropCowboyError as error:
        return Finding(about, FIX, str(error))


def _is_receiver(base_url: str, settings: ConnectionSettings) -> bool:
    reply = probe(f"{base_url}/health", verify=settings.verify)
    return not isinstance(reply, NotWritten) and (reply.status, reply.body) == (HTTPStatus.OK, b"alive\n")
