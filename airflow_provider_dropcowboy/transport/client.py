"""Single calls over HTTP: one request, one reply; and again only where that does no harm."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Final, Self, TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter
from urllib3.exceptions import HTTPError

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, RejectedRow
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import (
    Answer,
    Broken,
    Call,
    NotWritten,
    Reply,
    Request,
    Site,
    may_ask_again,
    read_reply,
    retry_after_s,
)
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    RejectedError,
    VendorError,
)
from airflow_provider_dropcowboy.secret import MASK
from airflow_provider_dropcowboy.transport.evidence import LeaseEndedError, WatchingAdapter, watch_first_byte, why

TRIES: Final = 4
MAX_PAUSE_S: Final = 60.0
PROBE_TIMEOUT_S: Final = 10.0  # the vendor waits for a callback's answer as long

T = TypeVar("T")
log = logging.getLogger(__name__)


class Client:
    """Single calls of one account; for one thread at a time.

    Redirects are not followed (requests would post the secret again), proxies of the environment are honoured.

    :param timeout_s: for the connection, and for each wait on the answer.
    :param verify: False, or the path of a CA bundle, instead of the usual authorities.
    """

    def __init__(
        self,
        account: Account,
        *,
        timeout_s: float = 30.0,
        verify: bool | str = True,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if isinstance(verify, str) and not Path(verify).exists():
            raise ConfigurationError(
                f"There is no CA bundle at {verify!r}. Nothing was sent. Correct verify in the connection's extra."
            )
        self.account = account
        self.timeout_s = timeout_s
        self.verify = verify
        self._sleep = sleep
        self._clock = clock
        self._session = requests.Session()
        self._session.auth = no_other_credentials
        self._adapter = WatchingAdapter(max_retries=0)

    def ask(self, call: Call[T]) -> T:
        """The value of a call. It is repeated where that does no harm: if it only reads, or was not carried out.

        :raises VendorError: one of its kinds, see ``replies.read_reply``.
        """
        request = call.request
        retrying = Retrying(
            retry=retry_if_result(lambda reply: may_ask_again(request, reply)),
            stop=stop_after_attempt(TRIES),
            wait=_pause_s,
            sleep=self._sleep,
            before_sleep=lambda state: log.info(
                "%s %s is repeated in %.1f s, after %s",
                request.method,
                request.path,
                state.upcoming_sleep,
                _brief(_last_reply(state)),
            ),
            retry_error_callback=_last_reply,
        )
        return read_reply(call, retrying(self.call, request))

    def call(self, request: Request, *, lease_ends: Deadline | None = None) -> Reply:
        """What came of asking once.

        :param lease_ends: of the claim of a change; checked just before the first byte is written.
        """

        def may_write() -> bool:
            return lease_ends is None or not self._clock.has_passed(lease_ends)

        site: Site | None = None
        if request.site_scope:
            found = self._site(request.site_scope)
            if not isinstance(found, Site):
                return found
            site = found
        prepared = self._prepare(request, site)
        settings = self._session.merge_environment_settings(prepared.url, {}, False, self.verify, None)
        verify = settings["verify"]
        assert verify is not None
        # each call has a connection of its own: the server may close a kept one at this moment, which leaves a change
        # in doubt, and a stray answer on it would pass for this call's
        self._adapter.close()  # it opens new ones when it is used again
        with watch_first_byte(may_write) as first_byte:
            try:
                with self._adapter.send(
                    prepared,
                    timeout=(self.timeout_s, self.timeout_s),
                    verify=verify,
                    proxies=settings["proxies"],
                ) as response:
                    return self._answer(response, site)
            except LeaseEndedError:
                return NotWritten("the claim's lease was over")
            # the reply says what went wrong in our words: these exceptions hold URLs, and some the request itself
            except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
                words = why(error, timeout_s=self.timeout_s)
                return Broken(words) if first_byte.is_written else NotWritten(words)

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _site(self, scope: str) -> Site | Answer | NotWritten:
        """A site's token; or, as the reply to a request that was not written, why there is none."""
        call = vendor_of(self.account).site(self.account, scope)
        reply = self.call(call.request)
        try:
            return read_reply(call, reply)
        except (AuthenticationError, RejectedError):
            assert isinstance(reply, Answer)
            return reply
        except VendorError:
            return NotWritten("there was no token for the site")

    def _prepare(self, request: Request, site: Site | None) -> requests.PreparedRequest:
        own = site or Site(self.account.base_url, vendor_of(self.account).headers(self.account))
        headers = {**own.headers, **request.headers, "Accept": "application/json"}
        body = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            body = _json_bytes(request)
        url = f"{own.base_url}{request.path}"
        # raised outside of the handler: the exception repeats the header, and would be the context of ours
        with suppress(ValueError):
            return self._session.prepare_request(
                requests.Request(request.method, url, params=dict(request.query), headers=headers, data=body)
            )
        raise ConfigurationError(
            "The connection's host is not a URL, or its team id or secret is nothing that a header can carry. "
            "Nothing was sent. Correct the connection."
        )

    def _answer(self, response: requests.Response, site: Site | None) -> Answer:
        # an error page that repeats the headers must not carry the credentials into an exception
        body = response.content
        for credential in (self.account.secret.reveal(), *(site.tokens() if site else ())):
            body = body.replace(credential.encode(), MASK.encode())
        return Answer(
            response.status_code,
            body,
            retry_after=response.headers.get("Retry-After"),
            date=response.headers.get("Date"),
        )


def probe(url: str, *, verify: bool | str = True) -> Answer | NotWritten:
    """What a GET is answered by a server that is not the vendor. No credential goes to it; a redirect is an answer."""
    try:
        with requests.get(
            url, auth=no_other_credentials, timeout=PROBE_TIMEOUT_S, verify=verify, allow_redirects=False
        ) as response:
            return Answer(response.status_code, response.content)
    # ValueError: what requests cannot read as a URL
    except (requests.RequestException, OSError, ValueError) as error:
        return NotWritten(why(error, timeout_s=PROBE_TIMEOUT_S))


def no_other_credentials(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from adding what a ``.netrc`` holds for the host."""
    return prepared


def _json_bytes(request: Request) -> bytes:
    # raised outside of the handler: json's exceptions may repeat the value
    with suppress(TypeError, ValueError):
        return json.dumps(request.body, separators=(",", ":"), allow_nan=False).encode()
    raise ConfigurationError(
        f"The body of {request.method} {request.path} holds a value that JSON has no word for. It was not sent. "
        "Give text, numbers, true, false or null; dates and decimals as text."
    )


_back_off: Final = wait_exponential_jitter(initial=1, max=MAX_PAUSE_S)


def _pause_s(state: RetryCallState) -> float:
    wanted_s = retry_after_s(_last_reply(state))
    return _back_off(state) if wanted_s is None else min(wanted_s, MAX_PAUSE_S)


def _last_reply(state: RetryCallState) -> Reply:
    assert state.outcome is not None
    reply: Reply = state.outcome.result()
    return reply


def _brief(reply: Reply) -> str:
    return f"HTTP {reply.status}" if isinstance(reply, Answer) else reply.why


def append_all(
    client: Client, list_id: str, *, fields: Sequence[str], values: Sequence[Sequence[Cell]], region: str = "US"
) -> AppendResult:
    """The rows are in the list, but for those that the result names.

    Every append is checked before the first one is written.

    :param values: any number of rows; ``ListRules.max_rows`` go with one append.
    :raises ConfigurationError: fields or rows that the route does not take; nothing was sent.
    :raises AmbiguousError: some rows are in, or may be, also where an answer does not account for each row; the text
        says which are in, may be in, and were not sent.
    :raises VendorError: of another kind: no row is in the list.
    """
    vendor = vendor_of(client.account)
    vendor.list_rules.check(fields)
    most = vendor.list_rules.max_rows
    starts = range(0, len(values), most)
    calls = [
        vendor.append_contacts(list_id, fields, values=values[start : start + most], region=region) for start in starts
    ]
    accepted_count = 0
    rejected: list[RejectedRow] = []
    contact_ids: dict[int, str] = {}
    for start, call in zip(starts, calls, strict=True):
        try:
            result = client.ask(call)
            result.check_rows(len(values[start : start + most]))
        except VendorError as error:
            if not start and not isinstance(error, AmbiguousError):
                raise
            end = min(start + most, len(values))
            raise _partial(
                list_id, error, start=start, end=end, row_count=len(values), accepted_count=accepted_count
            ) from error
        accepted_count += result.accepted_count
        rejected += [RejectedRow(start + row.index, row.reason) for row in result.rejected]
        contact_ids |= {start + index: contact_id for index, contact_id in result.contact_ids.items()}
    return AppendResult(accepted_count, tuple(rejected), contact_ids)


def _partial(
    list_id: str, error: VendorError, *, start: int, end: int, row_count: int, accepted_count: int
) -> AmbiguousError:
    """What stands in the list now; nothing but the text can tell, since no route reads a list's contacts."""
    before = f"rows 0 to {start - 1} were appended ({accepted_count} accepted), " if start else ""
    doubtful = "may have been appended" if isinstance(error, AmbiguousError) else "were not appended"
    after = f", rows {end} to {row_count - 1} were not sent" if end < row_count else ""
    return AmbiguousError(
        f"Contact list {list_id}: {before}rows {start} to {end - 1} {doubtful}{after}. {error} "
        "Compare the list's contact_count, then append only what is missing, or build the list anew."
    )
