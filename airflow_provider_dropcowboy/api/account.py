"""Whose API account, where it is, and what it has: brands, media, numbers, voices, webhooks, contacts, funds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret


@dataclass(frozen=True, slots=True)
class Account:
    """Credentials at one host, for one version of the API.

    :param login: what names the team or its key in a request.
    :param base_url: scheme, host and path prefix, without a trailing slash.
    :param site_id: whose token opens the contacts of API v2; empty: none was named.
    :param given_name: the account's name where a person set one, which outlives a move to another host; empty: none.
    """

    login: str
    secret: Secret
    base_url: str
    given_name: str = ""
    api_version: str = "v1"
    site_id: str = ""

    def __post_init__(self) -> None:
        if not self.login or not self.secret:
            raise ConfigurationError(
                "The Drop Cowboy connection lacks its team id (login) or its secret (password). Nothing was sent. "
                "Set both in the connection."
            )
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(
                "The host of the Drop Cowboy connection is not an http(s) base URL. Nothing was sent. "
                "Leave it empty for Drop Cowboy's own, or write it like https://host:port/v1."
            )

    @property
    def name(self) -> str:
        """What the ledger knows the account by: the given name, else ``login @ host``, in its one spelling.

        It separates a trial on the sandbox from production in one ledger.
        """
        return spell_account(self.given_name or f"{self.login}@{urlsplit(self.base_url).netloc}")


def spell_account(name: str) -> str:
    """The one spelling of an account's name, whatever way its host was written.

    The host is in lower case, without the dot of its root and without a default port; a name in another script is in
    its ASCII form (IDNA 2008), an IPv6 address in its shortest (RFC 5952). 80 and 443 are both default ports here,
    since the name does not hold the scheme. What is no host is left as it is.
    """
    team_id, at, host = name.rpartition("@")
    return f"{team_id}@{_spell_host(host)}" if at else name


def is_local(name: str) -> bool:
    """Whether the account of this name is one of this machine's, as a trial on the sandbox is."""
    return name.rpartition("@")[2].startswith(("127.", "localhost", "[::1]"))


_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]*))?")


def _spell_host(written: str) -> str:
    parts = _HOST.fullmatch(written)
    if parts is None:
        return written.lower()
    port = parts["port"] or ""
    host = _spell_ipv6(parts["ipv6"]) if parts["ipv6"] is not None else _spell_name(parts["name"])
    return host if not port or int(port) in _DEFAULT_PORTS else f"{host}:{int(port)}"


def _spell_ipv6(written: str) -> str:
    try:
        address = IPv6Address(written)
    except ValueError:
        return f"[{written.lower()}]"
    return str(address.ipv4_mapped or f"[{address}]")


def _spell_name(written: str) -> str:
    if not written.isascii():
        import idna  # its tables are large, and hardly a host needs them

        try:
            written = idna.encode(written, uts46=True).decode()
        except idna.IDNAError:
            return written.lower()
    return written.lower().rstrip(".")


_DEFAULT_PORTS: Final = frozenset({80, 443})


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand to send as; ``api_allowed``: through the API."""

    brand_id: str
    company_name: str | None = None
    dba_name: str | None = None
    registered: bool | None = None
    api_allowed: bool | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording; its ``media_id`` is the ``recording_id`` of a voicemail."""

    media_id: str
    name: str | None = None
    created_at: datetime | None = None
    api_allowed: bool | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was begun.

    :param targets: by the file's type, ``mp3`` or ``wav``: the URL to which its bytes go, and their content type.
    """

    media_id: str
    targets: Mapping[str, tuple[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of numbers to send from."""

    pool_id: str
    name: str | None = None
    brand_id: str | None = None
    service_type: str | None = None
    number_count: int | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that reads a text; ``status`` is ``ready`` where it can be used."""

    voice_id: str
    name: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address to which the vendor posts events.

    :param signing_secret: comes once, when the webhook is made or its secret is changed.
    """

    webhook_id: str
    hook_url: str | None = None
    event_types: tuple[str, ...] = ()
    name: str | None = None
    signing_secret: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContact:
    """A contact at the vendor; its fields are a person's, and do not print.

    :param dnc: on the vendor's do-not-contact list.
    """

    contact_id: str
    main_phone: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    company: str | None = field(default=None, repr=False)
    dnc: bool | None = None
    has_tcpa_consent: bool | None = None
    has_sms_consent: bool | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Whether an account can send now.

    :param about: what was looked at, in a word.
    :param text: for a person: what it may use, or what to do.
    """

    about: str
    is_ready: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What an account may do now (scope ``balance:read``).

    :param balance_usd: None: the answer names none.
    :param number_count: to send from; None: the answer names none.
    :param byoc_connected: a carrier of the account's own; None: the answer does not say.
    :param next_actions: what the vendor wants to be done first, in its own words.
    """

    has_funds: bool
    balance_usd: Decimal | None
    number_count: int | None
    audio_url_allowed: bool
    test_numbers_only: bool
    byoc_connected: bool | None = None
    next_actions: tuple[str, ...] = ()

    def access(self, *, is_voice: bool = True) -> Access:
        """Whether the account can send, and what to do if not.

        :param is_voice: a voicemail; else a text.
        """
        if not self.has_funds:
            return Access("readiness", False, "The account has no funds: add some. Nothing was sent.")
        # a carrier of the account's own has numbers that are not listed
        if self.number_count == 0 and not self.byoc_connected:
            remedy = "Rent or import one."
            return Access("readiness", False, f"The account has no number to send from. Nothing was sent. {remedy}")
        if self.test_numbers_only and is_voice:
            return Access(
                "readiness",
                False,
                "The account is in testing mode: every voicemail fails but those to its test numbers. Ask Drop Cowboy "
                "to end it. Nothing was sent.",
            )
        numbers = f" and {self.number_count} numbers to send from" if self.number_count else ""
        return Access("readiness", True, f"It has funds{numbers}.")
