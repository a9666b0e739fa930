"""An Airflow connection of type ``dropcowboy`` as checked settings."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final, Protocol, TypeVar
from urllib.parse import SplitResult, urlsplit

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.vendor import Vendor
from airflow_provider_dropcowboy.api.versions import DEFAULT, VENDORS
from airflow_provider_dropcowboy.argument_kinds import FLAG, choice, is_web_url
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret, texts_in

log = logging.getLogger(__name__)

MIN_SECRET_CHARACTERS: Final = 5  # Airflow's secrets masker leaves shorter ones in the log
MIN_CALLBACK_SECRET_CHARACTERS: Final = 16  # whoever has a callback URL can try secrets against it, unnoticed
MAX_CONCURRENCY: Final = 99  # API v1: keep concurrent requests under 100
DEFAULT_CONCURRENCY: Final = 90
DEFAULT_TIMEOUT_S: Final = 30.0
MAX_ACCOUNT_CHARACTERS: Final = 250


class Connection(Protocol):
    """What is read of an Airflow connection."""

    login: str | None
    password: str | None
    host: str | None
    schema: str | None
    port: int | None

    @property
    def extra_dejson(self) -> dict[str, object]:
        """The extra, parsed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """A connection's settings, checked.

    :param callback_url: public base URL of the receiver, without a trailing slash.
    :param retired_callback_secrets: of sends that may still be answered; the receiver takes them too.
    :param webhook_secrets: with which API v2 signs webhooks that were not made by ``dropcowboy receiver --register``.
    :param byoc: the vendor's ``byoc`` object; it holds a carrier's credentials.
    :param account_webhook: whether the account's own webhook posts to the receiver's ``/webhook``.
    :param verify: False, or the path of a CA bundle on the worker.
    """

    account: Account
    callback_url: str | None = None
    account_webhook: bool = False
    callback_secret: Secret | None = None
    retired_callback_secrets: tuple[Secret, ...] = ()
    webhook_secrets: tuple[Secret, ...] = ()
    default_brand_id: str | None = None
    default_pool_id: str | None = None
    max_concurrency: int = DEFAULT_CONCURRENCY
    price_rvm_usd: Decimal | None = None
    price_sms_usd: Decimal | None = None
    byoc: Mapping[str, object] | None = field(default=None, repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S
    verify: bool | str = True
    ledger_conn_id: str | None = None

    @classmethod
    def of(cls, connection: Connection) -> "ConnectionSettings":
        """The settings of an Airflow connection.

        :raises ConfigurationError: a field is missing or wrong; the text names it and what to write, not its value.
        """
        if not isinstance(extra := connection.extra_dejson, dict):
            raise _wrong("extra", "a JSON object")
        _check_names(extra)
        version = str(choice(*VENDORS).read("api_version", extra.get("api_version") or DEFAULT.version))
        return cls(
            account=Account(
                login=_header_text(connection.login or "", "login (team id, or key of API v2)"),
                secret=_secret(connection.password or "", "password (secret)"),
                base_url=_base_url(connection, VENDORS[version]),
                given_name=_read(extra, "account", _account_name) or "",
                api_version=version,
                site_id=_read(extra, "site_id", _text) or "",
            ),
            callback_url=_read(extra, "callback_url", _url),
            account_webhook=FLAG.read("account_webhook", extra.get("account_webhook") or False) is True,
            callback_secret=_read(extra, "callback_secret", _callback_secret),
            retired_callback_secrets=_read(extra, "callback_secret_retired", _callback_secrets) or (),
            webhook_secrets=tuple(map(Secret, (_read(extra, "webhook_secrets", _text) or "").split())),
            default_brand_id=_read(extra, "default_brand_id", _text),
            default_pool_id=_read(extra, "default_pool_id", _text),
            max_concurrency=_read(extra, "max_concurrency", _concurrency) or DEFAULT_CONCURRENCY,
            price_rvm_usd=_read(extra, "price_rvm_usd", _price),
            price_sms_usd=_read(extra, "price_sms_usd", _price),
            byoc=_read(extra, "byoc_secret", _object),
            timeout_s=_read(extra, "timeout_s", _timeout) or DEFAULT_TIMEOUT_S,
            verify=_verify(extra.get("verify")),
            ledger_conn_id=_read(extra, "ledger_conn_id", _text),
        )

    def callback_secrets(self) -> tuple[Secret, ...]:
        """The one in use, and the retired ones: what a receiver tells a true callback by."""
        return (*((self.callback_secret,) if self.callback_secret else ()), *self.retired_callback_secrets)

    def secrets(self) -> Iterator[Secret]:
        """Every credential in here, for a log's masker."""
        yield from (self.account.secret, *self.callback_secrets(), *map(Secret, texts_in(self.byoc)))
        yield from self.webhook_secrets


T = TypeVar("T")


def _read(extra: Mapping[str, object], name: str, parse: Callable[[object], T]) -> T | None:
    """A field of the extra; None: not set, as an empty form field is."""
    value = extra.get(name)
    if value is None or value == "":
        return None
    try:
        return parse(value)
    except ValueError as error:
        wanted = str(error)
    raise _wrong(f"{name} in the extra", wanted)


_NAMES: Final = (
    "account", "account_webhook", "api_version", "byoc_secret", "callback_secret", "callback_secret_retired",
    "callback_url", "default_brand_id", "default_pool_id", "ledger_conn_id", "max_concurrency", "price_rvm_usd",
    "price_sms_usd", "site_id", "timeout_s", "verify", "webhook_secrets",
)  # fmt: skip
_OTHER_NAMES: Final = {"byoc": "byoc_secret", "brand_id": "default_brand_id", "pool_id": "default_pool_id"}  # API's


def _check_names(extra: Mapping[str, object]) -> None:
    """Refuse a field that is meant for one of these: it would not count, and nobody would notice."""
    for name in extra.keys() - set(_NAMES):
        meant = _OTHER_NAMES.get(name) or next(iter(get_close_matches(name.lower(), _NAMES, n=1, cutoff=0.8)), None)
        if meant is not None:
            raise ConfigurationError(
                f"Drop Cowboy connection: the extra has no field {name}. Nothing was sent. Did you mean {meant}?"
            )
        log.warning("Drop Cowboy connection: the extra's field %s is not used", name)


def _wrong(name: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(
        f"Drop Cowboy connection: {name} must be {wanted}. Nothing was sent. Correct the connection."
    )


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # of a URI, Airflow's server and commands read digits as a number, and its tasks as text
    if not isinstance(value, str):
        raise ValueError("text")
    return value.strip()


def _account_name(value: object) -> str:
    name = _text(value)
    if not name.isprintable() or len(name) > MAX_ACCOUNT_CHARACTERS:
        raise ValueError(f"the account's name in the ledger, of at most {MAX_ACCOUNT_CHARACTERS} characters")
    return name


def _header_text(value: str, name: str) -> str:
    # a pasted line end would make every request fail, with the value in the error
    if value and not (value.isascii() and value.isprintable() and value == value.strip()):
        raise _wrong(name, "printable ASCII without spaces around it")
    return value


def _secret(value: str, name: str) -> Secret:
    if 0 < len(value) < MIN_SECRET_CHARACTERS or value.lower() == "airflow":
        raise _wrong(
            name,
            f'at least {MIN_SECRET_CHARACTERS} characters, and not "airflow": Airflow hides no other secret in logs',
        )
    return Secret(_header_text(value, name))


def _callback_secret(value: object) -> Secret:
    written = _text(value)
    if len(written) < MIN_CALLBACK_SECRET_CHARACTERS:
        raise ValueError(
            f"at least {MIN_CALLBACK_SECRET_CHARACTERS} characters: whoever has one callback URL can search for a "
            "shorter secret, and then report results of their own. `openssl rand -hex 32` makes a good one; do not "
            "keep a shorter one as callback_secret_retired either"
        )
    return Secret(_header_text(written, "callback_secret"))


def _callback_secrets(value: object) -> tuple[Secret, ...]:
    return tuple(_callback_secret(text) for text in _text(value).split())


def _url(value: object) -> str:
    url = _text(value).rstrip("/")
    if not is_web_url(url) or "?" in url:
        raise ValueError("a public base URL such as https://hooks.example.com")
    return url


def _concurrency(value: object) -> int:
    number = _number(value)
    if number is None or number % 1 or not 1 <= number <= MAX_CONCURRENCY:
        raise ValueError(f"a whole number from 1 to {MAX_CONCURRENCY}")
    return int(number)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _price(value: object) -> Decimal:
    price = _number(value)
    if price is None or price < 0:
        raise ValueError("an amount in US dollars such as 0.0975")
    return price


def _timeout(value: object) -> float:
    timeout_s = _number(value)
    if timeout_s is None or not 0 < timeout_s <= 600:
        raise ValueError("a number of seconds above 0 and up to 600")
    return float(timeout_s)


def _object(value: object) -> Mapping[str, object]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise ValueError("a JSON object")
    return value


def _verify(value: object) -> bool | str:
    match value:
        case None | "" | True:
            return True
        case False:
            return False
        case str():
            written = value.strip()
            return {"true": True, "false": False}.get(written.lower(), written)
        case _:
            raise _wrong("verify in the extra", "true, false, or the path of a CA bundle")


def _base_url(connection: Connection, vendor: Vendor) -> str:
    """Scheme, host, port and path; a host may be bare, with the connection's schema and port, or a whole URL."""
    host = (connection.host or "").strip()
    scheme = (connection.schema or "https").strip().lower()
    if scheme not in {"http", "https"}:
        raise _wrong("schema", "https or http, or empty for https")
    if not host:
        if connection.port:
            raise _wrong("host", "set where a port is set")
        return vendor.base_url
    if host.count(":") > 1 and "://" not in host and not host.startswith("["):
        host = f"[{host}]"  # an IPv6 address
    parts = _split(host if "://" in host else f"{scheme}://{host}")
    if not parts or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise _wrong("host", f"a host name, or a base URL such as {vendor.base_url}")
    port = f":{connection.port}" if connection.port and parts.port is None else ""
    return f"{parts.scheme}://{parts.netloc}{port}{parts.path.rstrip('/') or vendor.path_prefix}"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is none, which a wrong port or bracket makes it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
