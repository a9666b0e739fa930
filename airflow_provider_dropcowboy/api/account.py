"""Whose API account, and where it is."""

import re
from dataclasses import dataclass
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
