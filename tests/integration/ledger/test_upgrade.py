"""A ledger of the last release is upgraded, and nobody is contacted again, however the account was written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from airflow_provider_dropcowboy.api import account as accounts
from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.errors import SchemaVersionError
from airflow_provider_dropcowboy.ledger import database
from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of, find_campaigns
from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger, upgrade_ledger
from airflow_provider_dropcowboy.ledger.limits import pause_campaign
from airflow_provider_dropcowboy.ledger.lists import LISTS, current_list
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, COUNTS, METADATA, RUNS
from airflow_provider_dropcowboy.reports.results import read_progress
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.conftest import MakePlan, people
from tests.sandbox_process import SandboxProcess

LAST_RELEASE = "0007"

Send = Callable[..., dict[str, int]]


@pytest.fixture
def send(sandbox: SandboxProcess, plan: MakePlan) -> Send:
    """Sends campaign "spring" to some people with the account under a name."""

    def send_as(name: str, url: str, rows: Sequence[dict[str, object]]) -> dict[str, int]:
        account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url, given_name=name)
        ledger = open_ledger(url, may_create=True)
        try:
            asked = plan(account=account)
            return dict(run_campaign(asked, ledger, rows=rows, control=Control()).counts)
        finally:
            ledger.engine.dispose()

    return send_as


class LastRelease:
    """What the last release, which took an account's name as it was written, left in a ledger."""

    def __init__(self, url: str, folder: Path, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self._written = f"sqlite:///{folder / 'written.db'}"
        self._send = send
        self._monkeypatch = monkeypatch

    def send(self, name: str, rows: Sequence[dict[str, object]]) -> None:
        with self._monkeypatch.context() as patched:
            patched.setattr(accounts, "spell_account", str)
            self._send(name, self._written, rows)

    def leave(self, **more: sa.Insert) -> None:
        """Put its rows into tables that its own migrations made."""
        config = Config()
        config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
        source, target = sa.create_engine(self._written), sa.create_engine(self.url)
        with source.connect() as old, target.begin() as new:
            config.attributes["connection"] = new
            command.upgrade(config, LAST_RELEASE)
            for statement in more.values():
                new.execute(statement)
            for table in METADATA.sorted_tables:
                if table is COUNTS or not sa.inspect(new).has_table(table.name):  # kept by the database, or newer
                    continue
                columns = {column["name"] for column in sa.inspect(new).get_columns(table.name)}
                rows = [
                    {name: value for name, value in row.items() if name in columns}
                    for row in old.execute(sa.select(table)).mappings()
                ]
                if rows:
                    new.execute(sa.insert(table), rows)
                if rows and new.dialect.name == "postgresql" and "id" in columns and table.name != "dropcowboy_ledger":
                    new.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
                    )
        source.dispose()
        target.dispose()


@pytest.fixture
def last_release(ledger_url: str, tmp_path: Path, send: Send, monkeypatch: pytest.MonkeyPatch) -> LastRelease:
    return LastRelease(ledger_url, tmp_path, send, monkeypatch)


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["t@api.example.com:443"], "t@api.example.com"),
        (["t@api.example.com."], "t@API.example.com:443"),
        (["t@[0:0:0:0:0:0:0:1]:8080"], "t@[::1]:8080"),
        (["t@api.example.com", "t@api.example.com:443", "t@api.example.com."], "t@api.example.com"),
        (["t@api.example.com:443", "t@api.example.com.:443"], "t@api.example.com"),
    ],
)
def test_nobody_is_contacted_again_after_the_upgrade_however_the_account_was_written(
    sandbox: SandboxProcess, send: Send, last_release: LastRelease, names: list[str], name: str
) -> None:
    known = 10 * len(names)
    for first, written in enumerate(names):
        last_release.send(written, people(10, first=10 * first))
    last_release.leave()
    with pytest.raises(SchemaVersionError, match="dropcowboy ledger upgrade"):
        send(name, last_release.url, people(1))
    assert upgrade_ledger(last_release.url) == HEAD
    corrected = [{**row, "phone": f"+1504{3_000_000 + int(str(row['id']))}"} for row in people(known)]
    another_key = [{**row, "id": f"new-{row['id']}"} for row in people(known)]
    assert sandbox.takes()["takes"] == known
    assert send(name, last_release.url, people(known)) == {"accepted": known}
    assert send(name, last_release.url, corrected) == {"accepted": known}
    assert send(name, last_release.url, another_key) == {"duplicate": known}
    assert sandbox.takes()["takes"] == known
    assert send(name, last_release.url, people(known + 5)) == {"accepted": known + 5}
    assert sandbox.takes()["takes"] == known + 5
    assert sandbox.takes()["by_phone_taken_more_than_once"] == 0


def test_two_spellings_of_a_campaign_are_one_to_reports_and_pauses(send: Send, last_release: LastRelease) -> None:
    last_release.send("t@api.example.com:443", people(10))
    last_release.send("t@api.example.com", people(10, first=5))
    last_release.leave()
    upgrade_ledger(last_release.url)
    ledger = open_ledger(last_release.url)
    assert read_progress(ledger, "t@api.example.com", campaign="spring").accepted == 20
    assert len(find_campaigns(ledger, "spring")) == 2
    assert len(find_campaigns(ledger, "spring", account="t@api.example.com:443")) == 2
    assert len(campaigns_of(ledger, "t@api.example.com")) == 2
    assert len(pause_campaign(ledger, "spring")) == 2
    with ledger.reading() as connection:
        assert set(connection.execute(sa.select(RUNS.c.account)).scalars()) == {"t@api.example.com"}
        taken = connection.execute(sa.select(CAMPAIGNS.c.taken).where(CAMPAIGNS.c.merged_into.is_(None))).scalar_one()
    ledger.engine.dispose()
    assert taken == 20, "its limit and budget count all that was sent"


@pytest.mark.parametrize("older", ["t@api.example.com", "t@api.example.com:443"])
def test_a_list_that_two_spellings_built_is_the_newer_one_and_none_is_deleted(
    send: Send, last_release: LastRelease, older: str
) -> None:
    newer = ({"t@api.example.com", "t@api.example.com:443"} - {older}).pop()
    last_release.send("t@api.example.com:443", people(1))
    same = {"name": "due", "vendor_name": "due", "state": "current", "is_known": True, "counted": 1}
    instants = dict.fromkeys(("created_at", "changed_at"), sa.func.current_timestamp())
    last_release.leave(
        first=sa.insert(LISTS).values(id=1, account=older, list_id="old", **same, **instants),
        second=sa.insert(LISTS).values(id=2, account=newer, list_id="new", **same, **instants),
    )
    upgrade_ledger(last_release.url)
    ledger = open_ledger(last_release.url)
    current = current_list(ledger, "t@api.example.com", name="due")
    with ledger.reading() as connection:
        states = connection.execute(sa.select(LISTS.c.state)).scalars().all()
    ledger.engine.dispose()
    assert current is not None
    assert current.list_id == "new"
    assert states == ["current", "current"]
