"""An Airflow connection of type ``dropcowboy`` as checked settings."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, urlsplit

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.vendor import Vendor
from airflow_provider_dropcowboy.api.versions import DEFAULT, VENDORS
from airflow_provider_dropcowboy.argument_kinds import FLAG, choice, is_web_url, read_number
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret, texts_in

log = logging.getLogger(__name__)

MIN_SECRET_CHARACTERS: Final = 5  # Airflow's secrets masker leaves shorter ones in the log
MIN_CALLBACK_SECRET_CHARACTERS: Final = 16  # whoever has a callback URL can try secrets against it, unnoticed
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
    :param retired_callback_secrets: former secrets. Results of earlier sends still come with them.
    :param webhook_secrets: API v2 signs with these webhooks that ``dropcowboy receiver --register`` did not make.
    :param byoc: Drop Cowboy's ``byoc`` object; it holds a carrier's credentials.
    :param account_webhook: whether the account's own webhook posts to the receiver's ``/webhook``.
    :param verify: whether TLS certificates are checked, or the path of a CA bundle on the worker.
    """

    account: Account
    callback_url: str | None = None
    account_webhook: bool = False
    callback_secret: Secret | None = None
    retired_callback_secrets: tuple[Secret, ...] = ()
    webhook_secrets: tuple[Secret, ...] = ()
    default_brand_id: str | None = None
    default_pool_id: str | None = None
    max_concurrency: int = 90
    price_rvm_usd: Decimal | None = None
    price_sms_usd: Decimal | None = None
    byoc: Mapping[str, object] | None = field(default=None, repr=False)
    timeout_s: float = 30.0
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
        read: dict[str, Any] = {name: _read(name, extra[name]) for name in _FIELDS if extra.get(name) not in (None, "")}
        version = read.pop("api_version", DEFAULT.version)
        account = Account(
            login=_header_text(connection.login or "", "login (team id, or key of API v2)"),
            secret=_secret(connection.password or "", "password (secret)"),
            base_url=_base_url(connection, VENDORS[version]),
            given_name=read.pop("account", ""),
            api_version=version,
            site_id=read.pop("site_id", ""),
        )
        return cls(account=account, **{_ATTRIBUTES.get(name, name): value for name, value in read.items()})

    def callback_secrets(self) -> tuple[Secret, ...]:
        """The secret in use, then the retired ones: the receiver knows a true callback by them."""
        return (*((self.callback_secret,) if self.callback_secret else ()), *self.retired_callback_secrets)

    def secrets(self) -> Iterator[Secret]:
        """Every credential of the connection, for Airflow's masker of logs."""
        yield from (self.account.secret, *self.callback_secrets(), *map(Secret, texts_in(self.byoc)))
        yield from self.webhook_secrets


def _read(name: str, value: object) -> object:
    """A field of the extra that is set."""
    try:
        return _FIELDS[name](value)
    except ValueError as error:
        wanted = str(error)
    raise _wrong(f"{name} in the extra", wanted)


def _check_names(extra: Mapping[str, object]) -> None:
    """Refuse a misspelt field: it would not count, and nobody would notice."""
    for name in extra.keys() - _FIELDS.keys():
        meant = _OTHER_NAMES.get(name) or next(iter(get_close_matches(name.lower(), _FIELDS, n=1, cutoff=0.8)), None)
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


def _url(value: object) -> str:
    url = _text(value).rstrip("/")
    if not is_web_url(url) or "?" in url:
        raise ValueError("a public base URL such as https://hooks.example.com")
    return url


def _number(
    wanted: str, is_right: Callable[[Decimal], bool], convert: Callable[[Decimal], object] = Decimal
) -> Callable[[object], object]:
    def read(value: object) -> object:
        number = read_number(value)
        if number is None or not is_right(number):
            raise ValueError(wanted)
        return convert(number)

    return read


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
    if not isinstance(value, bool | str):
        raise ValueError("true, false, or the path of a CA bundle")
    written = str(value).strip()
    return {"true": True, "false": False}.get(written.lower(), written)


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


_PRICE: Final = _number("an amount in US dollars such as 0.0975", lambda price: price >= 0)
_FIELDS: Final[dict[str, Callable[[object], object]]] = {
    "account": _account_name,
    "account_webhook": lambda value: FLAG.read("account_webhook", value),
    "api_version": lambda value: choice(*VENDORS).read("api_version", value),
    "byoc_secret": _object,
    "callback_secret": _callback_secret,
    "callback_secret_retired": lambda value: tuple(_callback_secret(text) for text in _text(value).split()),
    "callback_url": _url,
    "default_brand_id": _text,
    "default_pool_id": _text,
    "ledger_conn_id": _text,
    "max_concurrency": _number(
        f"a whole number from 1 to {Vendor.max_concurrency}",
        lambda number: not number % 1 and 1 <= number <= Vendor.max_concurrency,
        int,
    ),
    "price_rvm_usd": _PRICE,
    "price_sms_usd": _PRICE,
    "site_id": _text,
    "timeout_s": _number("a number of seconds above 0 and up to 600", lambda seconds: 0 < seconds <= 600, float),
    "verify": _verify,
    "webhook_secrets": lambda value: tuple(map(Secret, _text(value).split())),
}
_ATTRIBUTES: Final = {"byoc_secret": "byoc", "callback_secret_retired": "retired_callback_secrets"}
_OTHER_NAMES: Final = {"byoc": "byoc_secret", "brand_id": "default_brand_id", "pool_id": "default_pool_id"}  # API's
