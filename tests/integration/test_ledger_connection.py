"""The ledger that ``ledger_conn_id`` names: what its connection says, on a real PostgreSQL."""

import json

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.hooks.ledger import ledger_url
from airflow_provider_dropcowboy.ledger.database import open_ledger, upgrade_ledger
from airflow_provider_dropcowboy.secret import Secret

ACCOUNT = Account("team", Secret("secret"), "https://api.dropcowboy.com/v1")
SETTINGS = ConnectionSettings(account=ACCOUNT, ledger_conn_id="ledger")


def connect(monkeypatch: pytest.MonkeyPatch, url: str, **extra: object) -> sa.URL:
    """The ledger's URL by a connection to a database with an extra."""
    parts = sa.make_url(url)
    fields = {
        "conn_type": "postgres",
        "login": parts.username,
        "password": parts.password,
        "host": parts.host or parts.query.get("host"),
        "port": parts.port,
        "schema": parts.database,
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", json.dumps(fields))
    return ledger_url(SETTINGS)


def schemas(url: sa.URL) -> set[str]:
    """In which schemas the tables of a ledger are."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT schemaname FROM pg_tables WHERE tablename = 'dropcowboy_sends'")
        found = set(rows.scalars())
    engine.dispose()
    return found


def make_schema(url: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA dc")
    engine.dispose()


def test_options_of_the_connection_reach_the_database(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    make_schema(postgres_url)
    url = connect(
        monkeypatch, postgres_url, options="-c search_path=dc", connect_timeout=7, cursor="dictcursor", iam=False
    )
    ledger = open_ledger(url, may_create=True)
    with ledger.reading() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "dc"
    ledger.engine.dispose()
    assert schemas(url) == {"dc"}
    assert dict(url.query) == {"options": "-c search_path=dc", "connect_timeout": "7"}


def test_tls_is_what_the_connection_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "sslmode": "verify-full",
        "sslrootcert": "/ca.pem",
        "sslcert": "/me.pem",
        "sslkey": "/me.key",
        "sslsni": True,
    }
    url = connect(monkeypatch, "postgresql://u:p@db.example/ledger", **given)
    assert dict(url.query) == {**given, "sslsni": "1"}


@pytest.mark.parametrize(
    ("kind", "extra", "named"),
    [
        ("postgres", {"sslmod": "verify-full"}, "sslmod in its extra is not a connection parameter of libpq"),
        ("postgres", {"iam": True}, "iam in its extra"),
        ("postgres", {"sslmode": ["require"]}, "sslmode in its extra is neither text nor a number"),
        ("sqlite", {"mode": "ro"}, "mode in its extra is not understood for a ledger on SQLite"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, kind: str, extra: dict[str, object], named: str
) -> None:
    fields = {"conn_type": kind, "host": "/tmp/ledger.db", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER", json.dumps(fields))
    with pytest.raises(ConfigurationError, match=named):
        ledger_url(SETTINGS)


def test_a_ledger_that_an_older_version_put_into_another_schema_is_not_begun_anew(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    open_ledger(postgres_url, may_create=True).engine.dispose()
    make_schema(postgres_url)
    url = connect(monkeypatch, postgres_url, options="-c search_path=dc")
    for may_create in (True, False):
        with pytest.raises(ConfigurationError, match=r"a ledger in schema public, and this connection looks in dc\."):
            open_ledger(url, may_create=may_create)
    assert schemas(url) == {"public"}
    both = connect(monkeypatch, postgres_url, options="-c search_path=dc,public")
    open_ledger(both, may_create=True).engine.dispose()
    assert schemas(url) == {"public"}
    upgrade_ledger(url)
    open_ledger(url).engine.dispose()
    assert schemas(url) == {"public", "dc"}


@pytest.mark.parametrize(
    ("variable", "extra", "is_same"),
    [
        ("postgresql+psycopg://db.example:5432/ledger", {}, True),
        ("postgresql+psycopg://DB.example/ledger?sslmode=require", {}, True),
        ("postgresql+psycopg:///ledger?host=db.example", {}, True),
        ("postgresql+psycopg://db.example/ledger", {"options": "-c statement_timeout=5s"}, True),
        ("postgresql+psycopg://db.example/ledger", {"options": "-c search_path=dc"}, False),
        ("postgresql+psycopg://db.example:5433/ledger", {}, False),
        ("postgresql+psycopg://db.example/other", {}, False),
    ],
)
def test_two_places_are_one_ledger_if_server_database_and_schema_are_the_same(
    monkeypatch: pytest.MonkeyPatch, variable: str, extra: dict[str, object], is_same: bool
) -> None:
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", variable)
    if is_same:
        assert connect(monkeypatch, "postgresql://db.example/ledger", **extra).host == "db.example"
    else:
        with pytest.raises(ConfigurationError, match="name different databases"):
            connect(monkeypatch, "postgresql://db.example/ledger", **extra)
