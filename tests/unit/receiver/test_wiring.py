"""What a receiver is told of its connections."""

import sys

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.receiver.app import spool_name
from airflow_provider_dropcowboy.receiver.wiring import Connected, wire
from airflow_provider_dropcowboy.secret import Secret

HERE, THERE = sa.make_url("sqlite:////here.db"), sa.make_url("sqlite:////there.db")


def test_the_secrets_of_all_connections_are_good() -> None:
    wiring = wire([Connected("a", (Secret("one-secret"),), HERE), Connected("b", (Secret("two-secret"),), HERE)])
    assert wiring.secrets == (Secret("one-secret"), Secret("two-secret"))
    assert (wiring.ledger_url, wiring.problems) == (HERE, ())


def test_connections_of_different_ledgers_need_different_receivers() -> None:
    with pytest.raises(ConfigurationError, match="a, b have different ledgers"):
        wire([Connected("a", (), HERE), Connected("b", (), THERE)])


def test_without_any_connection_the_problems_are_told() -> None:
    with pytest.raises(ConfigurationError, match="There is no connection 'a'"):
        wire([], ["There is no connection 'a'."])


def test_a_connection_that_cannot_be_used_does_not_keep_the_others_from_it() -> None:
    wiring = wire([Connected("a", (Secret("one-secret"),), HERE)], ["There is no connection 'b'."])
    assert wiring.problems == ("There is no connection 'b'.",)


def test_a_connection_without_a_callback_secret_is_told() -> None:
    (problem,) = wire([Connected("a", (), HERE)]).problems
    assert "'a' has no callback_secret" in problem


def test_a_driver_that_is_not_installed_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for address, what in (
        ("postgresql+psycopg://db/name", r"pip install 'airflow-provider-dropcowboy\[postgres\]'"),
        ("mysql://db/name", "cannot live on mysql"),
    ):
        with pytest.raises(ConfigurationError, match=what):
            wire([Connected("a", (), sa.make_url(address))])


def test_a_changed_password_leaves_the_spool_where_it_is() -> None:
    before, after = (sa.make_url(f"postgresql+psycopg://user:{word}@db/name") for word in ("old", "new"))
    assert spool_name(before) == spool_name(after) != spool_name(HERE)
