"""An Airflow connection as checked settings."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.account import spell_account
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.secret import Secret


@dataclass
class Connection:
    """What Airflow hands over."""

    login: str | None = "team"
    password: str | None = "s3cret-of-the-team"
    host: str | None = None
    schema: str | None = None
    port: int | None = None
    extra_dejson: dict[str, object] = field(default_factory=dict)


def extra(**fields: object) -> ConnectionSettings:
    return ConnectionSettings.of(Connection(extra_dejson=fields))


def test_a_team_id_and_a_secret_are_enough() -> None:
    settings = ConnectionSettings.of(Connection())
    assert settings.account.name == "team@api.dropcowboy.com"
    assert settings.account.base_url == "https://api.dropcowboy.com/v1"
    assert (settings.max_concurrency, settings.timeout_s, settings.verify) == (90, 30.0, True)
    assert settings.callback_url is None
    assert settings.callback_secret is None
    assert settings.byoc is None
    assert settings.ledger_conn_id is None


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("api.dropcowboy.com", None, "team@api.dropcowboy.com"),
        ("API.DropCowboy.com", 443, "team@api.dropcowboy.com"),
        ("api.dropcowboy.com.", None, "team@api.dropcowboy.com"),
        ("https://api.dropcowboy.com.:443/v1", None, "team@api.dropcowboy.com"),
        ("https://api.dropcowboy.com:/v1", None, "team@api.dropcowboy.com"),
        ("http://gateway.example:80", None, "team@gateway.example"),
        ("http://gateway.example:8080/v1", None, "team@gateway.example:8080"),
        ("2001:DB8:0:0::1", None, "team@[2001:db8::1]"),
        ("[2001:db8:0000::0001]", 443, "team@[2001:db8::1]"),
        ("https://[2001:db8::1]:8443", None, "team@[2001:db8::1]:8443"),
        ("http://[::ffff:127.0.0.1]:8484", None, "team@127.0.0.1:8484"),
        ("https://BÜCHER.example", None, "team@xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", None, "team@xn--bcher-kva.example"),
    ],
)
def test_an_account_has_one_name_however_its_host_is_written(host: str, port: int | None, name: str) -> None:
    assert ConnectionSettings.of(Connection(host=host, port=port)).account.name == name


def test_an_account_that_is_named_keeps_its_name_on_another_host() -> None:
    moved = Connection(host="gateway.example", extra_dejson={"account": " team@API.dropcowboy.com:443 "})
    assert ConnectionSettings.of(moved).account.name == "team@api.dropcowboy.com"
    named = Connection(extra_dejson={"account": "Production EU"})
    assert ConnectionSettings.of(named).account.name == "Production EU"


@given(st.text(), st.text(alphabet="abAB.:[]01%@ü", max_size=30))
def test_a_spelled_name_is_spelled_already(team_id: str, host: str) -> None:
    once = spell_account(f"{team_id}@{host}")
    assert spell_account(once) == once


def test_everything_can_be_set() -> None:
    settings = extra(
        callback_url="https://hooks.example.com/",
        callback_secret="signs-all-callbacks",
        default_brand_id="b1",
        default_pool_id="p1",
        max_concurrency=20,
        price_rvm_usd=0.0975,
        price_sms_usd="0.02",
        byoc_secret={"carrier": "example", "token": "carrier-token"},
        timeout_s=5,
        verify="/etc/ssl/ours.pem",
        ledger_conn_id="dropcowboy_ledger",
    )
    assert settings == ConnectionSettings(
        account=settings.account,
        callback_url="https://hooks.example.com",
        callback_secret=Secret("signs-all-callbacks"),
        default_brand_id="b1",
        default_pool_id="p1",
        max_concurrency=20,
        price_rvm_usd=Decimal("0.0975"),
        price_sms_usd=Decimal("0.02"),
        byoc={"carrier": "example", "token": "carrier-token"},
        timeout_s=5.0,
        verify="/etc/ssl/ours.pem",
        ledger_conn_id="dropcowboy_ledger",
    )


def test_an_empty_field_of_the_form_is_not_set() -> None:
    assert extra(callback_url="", max_concurrency="", verify="", byoc_secret=None) == extra()


def test_text_of_a_uri_is_read_as_what_it_means() -> None:
    settings = extra(max_concurrency="20", timeout_s="2.5", verify="False", byoc_secret='{"token": "carrier-token"}')
    assert (settings.max_concurrency, settings.timeout_s, settings.verify) == (20, 2.5, False)
    assert settings.byoc == {"token": "carrier-token"}


def test_digits_of_a_uri_are_the_same_account_in_a_task_and_in_a_command() -> None:
    assert extra(account=12345, default_pool_id=7) == extra(account="12345", default_pool_id="7")


def test_a_field_that_is_not_known_is_left_alone() -> None:
    assert extra(colour="blue") == extra()


@pytest.mark.parametrize(
    ("host", "schema", "port", "base_url"),
    [
        ("127.0.0.1", "http", 8080, "http://127.0.0.1:8080/v1"),
        ("127.0.0.1:8080", "http", None, "http://127.0.0.1:8080/v1"),
        ("api.example", None, None, "https://api.example/v1"),
        ("api.example", "", 8443, "https://api.example:8443/v1"),
        ("http://127.0.0.1:8080/v1", None, None, "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:8080/", None, None, "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1", "https", 8080, "http://127.0.0.1:8080/v1"),
        ("https://gate.example/dropcowboy/v1/", None, None, "https://gate.example/dropcowboy/v1"),
        ("gate.example/dropcowboy", None, None, "https://gate.example/dropcowboy"),
        ("::1", "http", 8080, "http://[::1]:8080/v1"),
        ("[::1]:8080", "http", None, "http://[::1]:8080/v1"),
        (" ", "https", None, "https://api.dropcowboy.com/v1"),
    ],
)
def test_a_host_can_be_bare_or_a_base_url(host: str, schema: str | None, port: int | None, base_url: str) -> None:
    connection = Connection(host=host, schema=schema, port=port)
    assert ConnectionSettings.of(connection).account.base_url == base_url


@pytest.mark.parametrize(
    ("connection", "named"),
    [
        (Connection(login=None), "team id"),
        (Connection(password=""), "secret"),
        (Connection(password="abc"), "at least 5 characters"),
        (Connection(password="Airflow"), "Airflow hides"),
        (Connection(password="s3cret-of-the-team\n"), "spaces around"),
        (Connection(login="té-am"), "login"),
        (Connection(host="api.example", schema="v1"), "schema"),
        (Connection(port=8080), "host"),
        (Connection(host="https://someone:else@api.example"), "host"),
        (Connection(host="api.example?x=1"), "host"),
        (Connection(host="api.example:notaport"), "host"),
        (Connection(host="ftp://api.example"), "host"),
        (Connection(host="https://"), "host"),
        (Connection(extra_dejson=[]), "extra"),  # type: ignore[arg-type]  # what a user may write
    ],
)
def test_a_wrong_connection_names_the_field(connection: Connection, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        ConnectionSettings.of(connection)
    assert "s3cret" not in str(caught.value)
    assert "else" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("callback_url", "hooks.example.com"),
        ("callback_url", "https://hooks.example.com?token=wrong"),
        ("callback_url", 7),
        ("account", 100000.0),
        ("callback_secret", "fifteen-letters"),
        ("callback_secret_retired", "long-enough-to-be-kept fifteen-letters"),
        ("account", "a\nb"),
        ("account", "t" * 251),
        ("callback_secret", 12345678),
        ("default_brand_id", ["b1"]),
        ("default_pool_id", 7.5),
        ("default_pool_id", True),
        ("max_concurrency", 0),
        ("max_concurrency", 100),
        ("max_concurrency", 9.5),
        ("max_concurrency", True),
        ("max_concurrency", "many"),
        ("price_rvm_usd", -1),
        ("price_rvm_usd", "NaN"),
        ("price_sms_usd", "cheap"),
        ("price_sms_usd", True),
        ("byoc_secret", "carrier-token"),
        ("byoc_secret", "[1]"),
        ("timeout_s", 0),
        ("timeout_s", 3600),
        ("timeout_s", "soon"),
        ("verify", 7),
        ("ledger_conn_id", {}),
    ],
)
def test_a_wrong_extra_names_the_field_and_not_its_value(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        extra(**{name: value})
    if "secret" in name:
        assert str(value) not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_settings_print_no_secret() -> None:
    settings = extra(callback_secret="signs-all-callbacks", byoc_secret={"token": "carrier-token"})
    for hidden in ("s3cret-of-the-team", "signs-all-callbacks", "carrier-token"):
        assert hidden not in repr(settings)


def test_every_secret_is_named_to_the_masker() -> None:
    settings = extra(
        callback_secret="signs-all-callbacks", byoc_secret={"sid": "carrier-sid", "more": [{"token": "carrier"}]}
    )
    assert {secret.reveal() for secret in settings.secrets()} == {
        "s3cret-of-the-team",
        "signs-all-callbacks",
        "carrier-sid",
        "carrier",
    }


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("byoc", "byoc_secret"),
        ("callback_ulr", "callback_url"),
        ("max_concurency", "max_concurrency"),
        ("pool_id", "default_pool_id"),
        ("Callback_URL", "callback_url"),
    ],
)
def test_a_misnamed_field_is_refused_with_the_name_that_is_meant(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Did you mean {meant}") as wrong:
        extra(**{name: "carrier-token"})
    assert "carrier-token" not in str(wrong.value)


def test_a_field_of_somebody_else_is_left_alone() -> None:
    assert extra(cost_center="growth") == extra()
