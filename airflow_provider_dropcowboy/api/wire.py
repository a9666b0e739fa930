"""A request before it is written and what came back: the words between the protocol and a transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a route.

    :param path: below the base URL, with a leading slash.
    :param headers: beside those that every request of the account has.
    :param is_safe: asking twice does no harm (GET).
    :param site_scope: of a route that is open to a site's token alone, and never to the account's own credentials.
    """

    method: Method
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_safe: bool = False
    site_scope: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site's token opens routes.

    :param headers: in place of those of the account.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)

    def tokens(self) -> tuple[str, ...]:
        """The credentials in its headers, without the word before them."""
        return tuple(value.rpartition(" ")[2] for value in self.headers.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer was read."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class NotWritten:
    """No byte of the request left this process: the vendor surely did not take it.

    :param why: for people; no URL, credential or number in it.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The request was written, at least in part, and no whole answer came back: it may have been taken.

    :param why: for people; no URL, credential or number in it.
    """

    why: str


Reply = Answer | NotWritten | Broken
