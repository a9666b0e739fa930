"""Single calls that are more than one request and its reply: a send without a ledger, an upload, a test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from threading import get_ident
from typing import BinaryIO, Final, assert_never
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from airflow_provider_dropcowboy.api.account import Access, Account
from airflow_provider_dropcowboy.api.content import MAX_FOREIGN_ID_CHARACTERS, Content, check_url
from airflow_provider_dropcowboy.api.reading import error_reason
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import (
    CREDENTIAL_REFUSALS,
    ODD_SHAPE,
    Answer,
    Broken,
    Call,
    NotWritten,
    Outcome,
    Reply,
    SendOutcome,
    read_reply,
)
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    NotTakenError,
    RejectedError,
    VendorError,
)
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.transport.client import Client, no_other_credentials
from airflow_provider_dropcowboy.transport.evidence import why

log = logging.getLogger(__name__)

NOT_SENT: Final = "Nothing was sent."


def send_once(
    client: Client,
    account: Account,
    *,
    phone: Phone,
    content: Content,
    foreign_id: str,
    callback_url: str | None = None,
) -> None:
    """Send this message. One request is written at most, whatever comes back.

    :raises ConfigurationError: the vendor accepts no such message; nothing was sent.
    :raises AmbiguousError: it may have been sent.
    :raises NotTakenError: it was not sent, and may be sent again.
    :raises VendorError: of another kind: refused, with the vendor's reason.
    """
    vendor = vendor_of(account)
    vendor.rules.check(content)
    if callback_url is not None:
        check_url("callback_url", callback_url)
    given: object = foreign_id
    if not isinstance(given, str) or not given.isprintable():
        raise ConfigurationError(f"A foreign_id is printable text, not {given!r}. {NOT_SENT}")
    if not 0 < len(foreign_id) <= MAX_FOREIGN_ID_CHARACTERS:
        raise ConfigurationError(f"A foreign_id has 1 to {MAX_FOREIGN_ID_CHARACTERS} characters. {NOT_SENT}")
    request = vendor.send(account, content, phone=phone, foreign_id=foreign_id, callback_url=callback_url)
    reply = client.call(request)
    error = _error(reply, vendor.read_send(reply), foreign_id=foreign_id)
    if error:
        raise error


def _error(reply: Reply, outcome: SendOutcome, *, foreign_id: str) -> VendorError | None:
    match outcome.kind:
        case Outcome.ACCEPTED:
            if outcome.odd_shape:
                log.warning(ODD_SHAPE, outcome.odd_shape)
            return None
        case Outcome.REJECTED:
            return RejectedError(f"Drop Cowboy refused this message: {outcome.reason}. {NOT_SENT} Correct the message.")
        case Outcome.RELEASED:
            return NotTakenError(f"The message was not accepted ({outcome.reason}). It may be sent again.")
        case Outcome.REFUSED:
            refusal = isinstance(reply, Answer) and reply.status in CREDENTIAL_REFUSALS
            return (AuthenticationError if refusal else RejectedError)(
                f"Drop Cowboy refused the request ({outcome.reason}). {NOT_SENT} "
                "Check the team id (login), the secret (password) and the host of the connection, and the account."
            )
        case Outcome.UNKNOWN:
            return AmbiguousError(
                f"The message may have been sent ({outcome.reason}); its foreign_id is {foreign_id}. Do not repeat it "
                "before you looked in Drop Cowboy's own log, or waited for its callback."
            )
        case _:
            assert_never(outcome.kind)


TRIES: Final = 3
"""Of the second step: the same bytes to the same place do no harm."""

FIRST_BYTES: Final = 12


def upload_media(client: Client, path: str | PathLike[str], *, name: str | None = None) -> str:
    """The file is at the vendor and can be sent.

    :param name: at the vendor; None: that of the file.
    :returns: its media_id.
    :raises ConfigurationError: the version of the API has no uploads, or the file is no mp3 or wav; nothing was sent.
    :raises NotTakenError: its bytes did not arrive; what was begun cannot be sent and does no harm.
    :raises VendorError: of another kind: refused, or in doubt.
    """
    routes = vendor_of(client.account).newer
    file = Path(path)
    kind = audio_type(file)
    begun = client.ask(routes.begin_upload(name or file.name))
    if kind not in begun.targets:
        raise NotTakenError(f"Drop Cowboy offered no place for a {kind} file. Nothing can be sent of it. Run it again.")
    url, content_type = begun.targets[kind]
    for _ in range(TRIES):
        with file.open("rb") as stream:
            reply = _put(client, url, stream, content_type=content_type)
        if isinstance(reply, Answer) and 200 <= reply.status < 300:
            return client.ask(routes.complete_upload(begun.media_id))
    cause = f"HTTP {reply.status}" if isinstance(reply, Answer) else reply.why
    raise NotTakenError(f"The bytes of {file.name} did not arrive ({cause}). It cannot be sent. Run it again.")


def audio_type(file: Path) -> str:
    """``mp3`` or ``wav``, as the file's name and its first bytes say.

    :raises ConfigurationError: it is not there, is empty, or is neither.
    """
    try:
        with file.open("rb") as stream:
            first = stream.read(FIRST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{file.name} cannot be read: {error.strerror}. Nothing was uploaded.") from None
    if not first:
        raise ConfigurationError(f"{file.name} is empty. Nothing was uploaded. Give a file with sound in it.")
    named = file.suffix.lower().removeprefix(".")
    if named not in {"mp3", "wav"}:
        raise ConfigurationError(
            f"{file.name} is neither .mp3 nor .wav. Nothing was uploaded. Convert it, such as with "
            f"`ffmpeg -i {file.name} {file.stem}.mp3`."
        )
    if _type_of(first) != named:
        raise ConfigurationError(
            f"{file.name} does not begin like a {named} file. Nothing was uploaded. Look at it, or convert it to mp3."
        )
    return named


def _type_of(first: bytes) -> str | None:
    if first.startswith((b"RIFF", b"RF64")) and first[8:12] == b"WAVE":
        return "wav"
    # an ID3 tag, or the eleven set bits that begin each frame of MPEG audio
    if first.startswith(b"ID3") or (len(first) > 1 and first[0] == 0xFF and first[1] & 0xE0 == 0xE0):
        return "mp3"
    return None


def _put(client: Client, url: str, stream: BinaryIO, *, content_type: str) -> Answer | Broken:
    """What came of the second step. No credential goes with it; the file is never in memory whole."""
    try:
        with (
            _unlogged(),
            requests.put(
                url,
                data=stream,
                headers={"Content-Type": content_type},
                auth=no_other_credentials,
                timeout=(client.timeout_s, client.timeout_s),
                verify=client.verify,
                allow_redirects=False,
            ) as response,
        ):
            return Answer(response.status_code)
    # the URL itself opens the upload: these exceptions repeat it
    except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
        return Broken(why(error, timeout_s=client.timeout_s))


@contextmanager
def _unlogged() -> Iterator[None]:
    """Nothing of this thread's requests is in urllib3's log, which holds the path and the query of each at DEBUG."""
    thread, http = get_ident(), logging.getLogger("urllib3.connectionpool")

    def is_of_another(_record: logging.LogRecord) -> bool:
        return get_ident() != thread

    http.addFilter(is_of_another)
    try:
        yield
    finally:
        http.removeFilter(is_of_another)


def read_access(account: Account, call: Call[Access], reply: Reply) -> Access:
    """Whether the account can send, from the reply to ``Vendor.access``.

    :raises VendorError: the reply does not say. The text, which holds no secret, says what may be wrong: host, network,
        credentials, funds or rights.
    """
    host = host_of(account)
    match reply:
        case NotWritten(why=why):
            raise NotTakenError(f"{host} was not reached: {why}. {NOT_SENT} {_where_to_look(why)}")
        case Answer(status=status) if status in CREDENTIAL_REFUSALS:
            said = ": ".join(filter(None, (f"HTTP {status}", error_reason(reply.body))))
            remedy = _REFUSALS.get(status) or vendor_of(account).wrong_credentials
            raise AuthenticationError(f"{host} refuses the connection ({said}). {NOT_SENT} {remedy}")
        case _:
            return read_reply(call, reply)


def host_of(account: Account) -> str:
    """The host that the connection leads to, for a person."""
    return urlsplit(account.base_url).netloc


_REFUSALS: Final = {
    402: "The account has no funds.",
    403: "The account may not use the API: ask Drop Cowboy to allow it.",
}


def _where_to_look(why: str) -> str:
    if "no name server" in why or "unreachable" in why:
        return "This machine has no network, or none that leads there: check network, DNS and proxy."
    if "no such name" in why:
        return "Check the host of the connection."
    if "proxy" in why:
        return "Check the proxy of this machine's environment."
    if "TLS" in why:
        return "Check schema and port of the connection, and verify."
    return "Check host, port and schema of the connection, the network and any proxy."
