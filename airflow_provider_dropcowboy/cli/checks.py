"""What ``dropcowboy doctor`` looks at, in the order in which a run would need it."""

import os
import platform
from collections.abc import Callable, Iterator
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.account import is_local
from airflow_provider_dropcowboy.api.callback_url import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, NotWritten, Reply, http_date
from airflow_provider_dropcowboy.cli.connection import (
    executor,
    fetch,
    ledger_url_of,
    load_own_rules,
    load_settings,
    redacted_url,
    triggerer_beat,
)
from airflow_provider_dropcowboy.cli.main import DISTRIBUTION
from airflow_provider_dropcowboy.cli.surroundings import (
    Finding,
    compare_clocks,
    look_at_extras,
    look_at_prices,
    look_at_rules,
    look_at_triggerer,
    look_at_zones,
)
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import DropCowboyError, NoLedgerError
from airflow_provider_dropcowboy.hooks.access import access_call, host_of, read_access
from airflow_provider_dropcowboy.hooks.ledger import SPREADING_EXECUTORS
from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of, other_names
from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger
from airflow_provider_dropcowboy.ledger.facts import clock_skew, commit_s
from airflow_provider_dropcowboy.ledger.postgres import check_driver
from airflow_provider_dropcowboy.screening.places import installed_copies, load_places
from airflow_provider_dropcowboy.screening.rules import Rulebook
from airflow_provider_dropcowboy.transport.client import Client, probe

if TYPE_CHECKING:
    from sqlalchemy import URL

    from airflow_provider_dropcowboy.api.account import Account
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.ledger.database import Ledger

SLOW_COMMIT_S: Final = 0.5
"""A batch of claims is as large as the connections in use: at half a second a batch, the ledger slows the wire."""

RECEIVER: Final = "receiver"
NO_MESSAGE: Final = Ticket("doctor", 0)
"""What a token is made of that belongs to no message: whoever has it can report no result."""


def examine(conn: str) -> Iterator[Finding]:
    """Every check, one after the other; a failed one leaves out those that stand on it."""
    try:
        settings = load_settings(conn)
    except DropCowboyError as error:
        yield Finding("connection", False, str(error))
    else:
        yield Finding("connection", True, f"{conn} is account {settings.account.name}")
        yield from _examine_api(settings)
        yield from _examine_ledger(settings)
        yield look_at_receiver(settings)
        yield look_at_prices(settings)
    yield look_at_triggerer(triggerer_beat())
    yield look_at_extras()
    yield _checked("calling hours", lambda: look_at_rules(Rulebook.load(load_own_rules()), today=utcnow().date()))
    yield look_at_zones(installed_copies(), needed=load_places().zone_version)
    yield Finding(
        "versions",
        True,
        f"{DISTRIBUTION} {version(DISTRIBUTION)}, apache-airflow {version('apache-airflow')}, "
        f"Python {platform.python_version()}",
    )


def look_at_receiver(settings: "ConnectionSettings") -> Finding:
    """Whether the callback URL leads to a receiver that knows the connection's secret. Nothing is stored there."""
    base_url = settings.callback_url
    if base_url is None:
        return Finding(
            RECEIVER,
            True,
            "no callback_url: results of messages that are sent now will never be known. Run `dropcowboy receiver`, "
            "and set callback_url and callback_secret.",
            is_warning=True,
        )
    if settings.callback_secret is None:
        return Finding(
            RECEIVER,
            True,
            f"no callback_secret: results go to {base_url} without a signature, and the ledger learns none of them. "
            "Set callback_secret.",
            is_warning=True,
        )
    reply = probe(CallbackUrls(base_url, settings.callback_secret).url(NO_MESSAGE), verify=settings.verify)
    if isinstance(reply, NotWritten):
        return Finding(
            RECEIVER,
            False,
            f"{base_url} was not reached from this machine: {reply.why}. Start `dropcowboy receiver`, look at its "
            "proxy, or correct callback_url. If only this machine cannot reach it, try from outside.",
        )
    match reply.status:
        case HTTPStatus.OK:
            return Finding(RECEIVER, True, f"{base_url} is reached from this machine, and knows the callback_secret")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            told = "found no connection or ledger: its own /ready says what is wrong"
            return Finding(RECEIVER, False, f"{base_url} answers, but its receiver {told} (HTTP 503).")
        case HTTPStatus.NOT_FOUND if _is_receiver(base_url, settings):
            return Finding(
                RECEIVER,
                False,
                f"the receiver at {base_url} does not know the connection's callback_secret, and would refuse every "
                "result. Start it with this connection (--conn; in Airflow [dropcowboy] receiver_conn_ids), or wait a "
                "minute if the secret was just changed.",
            )
        case status:
            return Finding(
                RECEIVER,
                False,
                f"{base_url} is reached, but something else answers there (HTTP {status}). Correct callback_url, or "
                "let the proxy pass /callbacks/ on to the receiver.",
            )


def _examine_api(settings: "ConnectionSettings") -> Iterator[Finding]:
    try:
        with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
            reply = client.call(access_call(settings).request)
        access = read_access(settings, reply)
    except DropCowboyError as error:
        yield Finding("API", False, str(error))
        return
    yield Finding("API", True, f"{host_of(settings)} accepts the credentials")
    yield _vendor_clock(reply)
    yield Finding(access.about, access.is_ready, access.text)
    if settings.default_pool_id is not None:
        yield _checked("default pool", lambda: _pool(settings, str(settings.default_pool_id)))


def _vendor_clock(reply: Reply) -> Finding:
    date = http_date(reply.date or "") if isinstance(reply, Answer) else None
    if date is None:
        return Finding("clock", True, "the API did not say what time it has")
    return compare_clocks("the API's", date - utcnow())


def _pool(settings: "ConnectionSettings", default: str) -> Finding:
    if default not in {pool.pool_id for pool in fetch(settings, vendor_of(settings.account).pools())}:
        return Finding(
            "default pool",
            False,
            "default_pool_id is not a pool of the account. `dropcowboy pools` lists them; set another.",
        )
    return Finding("default pool", True, "default_pool_id is a pool of the account")


def _examine_ledger(settings: "ConnectionSettings") -> Iterator[Finding]:
    try:
        url = ledger_url_of(settings)
    except DropCowboyError as error:
        yield Finding("ledger", False, str(error))
        return
    kind = _kind(url)
    yield kind
    if not kind.is_ok:
        return
    try:
        ledger = open_ledger(url)
    except NoLedgerError:
        yield Finding("ledger", True, "empty or not there yet: the first send sets it up")
        return
    except DropCowboyError as error:
        yield Finding("ledger", False, str(error))
        return
    yield Finding("ledger", True, f"{ledger.ledger_id} with schema {HEAD}")
    yield _checked("account", lambda: _account(settings.account, ledger))
    yield _checked("ledger", lambda: compare_clocks("the ledger's", clock_skew(ledger)))
    yield _checked("ledger", lambda: _latency(ledger))


def _kind(url: "URL") -> Finding:
    name = executor()
    if url.get_backend_name() == "sqlite" and any(part in name for part in SPREADING_EXECUTORS):
        return Finding(
            "ledger",
            False,
            f"{redacted_url(url)} is a file of this machine, but {name} may run a task on another one. "
            "Use PostgreSQL: set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL.",
        )
    try:
        check_driver(url)
    except DropCowboyError as error:
        return Finding("ledger", False, str(error))
    if url.get_backend_name() == "sqlite" and (folder := _unwritable(Path(url.database or ""))) is not None:
        return Finding(
            "ledger",
            False,
            f"{redacted_url(url)} cannot be written: {folder}. Make its folder writable for this user, or set "
            "ledger_conn_id or DROPCOWBOY_LEDGER_URL to another place.",
        )
    return Finding("ledger", True, f"{redacted_url(url)} suits {name}")


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


def _account(account: "Account", ledger: "Ledger") -> Finding:
    """Whether the ledger remembers the team's sends under the name that the connection has now."""
    others = other_names(ledger, account.name, team_id=account.login)
    # a trial on the sandbox is no move: it is under another name on purpose
    others = {name: count for name, count in others.items() if is_local(name) == is_local(account.name)}
    if not others:
        return Finding("account", True, f"{account.name} is the only name of this team in the ledger")
    known = ", ".join(f"{name} ({count} campaigns)" for name, count in others.items())
    if account.given_name and campaigns_of(ledger, account.name):
        return Finding("account", True, f"{account.name}, as the connection says; the ledger also knows {known}")
    return Finding(
        "account",
        False,
        f"the connection is account {account.name}, and the ledger knows this team as {known}. Whoever was contacted "
        "under another name can be contacted again. If it is one account that has moved, set account in the "
        f'connection\'s extra: {{"account": "{next(iter(others))}"}}. If not, set it to "{account.name}".',
    )


def _latency(ledger: "Ledger") -> Finding:
    seconds = commit_s(ledger)
    text = f"a transaction like a claim takes {seconds * 1000:.0f} ms"
    if seconds > SLOW_COMMIT_S:
        return Finding(
            "ledger", False, f"{text}: it will slow sending down. Bring the database nearer, or look at its load."
        )
    return Finding("ledger", True, text)


def _checked(about: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except DropCowboyError as error:
        return Finding(about, False, str(error))


def _is_receiver(base_url: str, settings: "ConnectionSettings") -> bool:
    reply = probe(f"{base_url}/health", verify=settings.verify)
    return not isinstance(reply, NotWritten) and (reply.status, reply.body) == (HTTPStatus.OK, b"alive\n")
