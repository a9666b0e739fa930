"""HTTP/1.1 over one connection, which counts what comes, and a request that shows whose answer is whose.

Answers are parsed by httptools (llhttp, in its strict mode). An answer counts only if it is whole: it has a length or
chunks, at most ``MAX_ANSWER_BYTES`` with its head, and a known encoding.
"""

import asyncio
import json
import math
import select
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from secrets import token_hex
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from airflow_provider_dropcowboy.api.wire import Answer, Outcome, Reply, SendOutcome

MAX_ANSWER_BYTES: Final = 64 * 1024
NOT_SENT: Final = frozenset({Outcome.RELEASED, Outcome.REJECTED, Outcome.REFUSED})

Read = Callable[[Reply], SendOutcome]
"""What an answer means."""
MAX_SURPLUS: Final = 16
"""So many answers too many are accounted for on one connection."""


class AnswerError(Exception):
    """No whole answer came. The text is for people; it holds no URL, credential or number."""


class Connection(asyncio.Protocol):
    """One connection with at most one request at a time.

    :param live: holds the connection while it is open.
    :ivar lost: set once the connection has ended.
    :ivar is_early: an answer began before its request was completely written.
    :ivar announces_close: the server said that it closes the connection after its last answer.
    :ivar begun_s: when the last request was written, by the loop's clock.
    :ivar heard_s: when the last bytes came, by the loop's clock.
    :ivar lost_s: when it ended, by the loop's clock.
    :ivar accepted: keys of the last messages that were accepted on it.
    :ivar kept_s: since when it carries no request, by the clock that counts while the machine is suspended.
    :ivar is_fast: its last acceptance came faster than any other of late.
    :ivar is_hurried: it carries a request although another answer to the one before may still come, and is feared.
    """

    def __init__(self, live: "set[Connection]") -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._deadline_s = 0.0
        self._unread: list[Answer | None] = []
        self._is_reading = self._is_spoilt = self._is_broken = False
        self._read_bytes = 0
        self._body = b""
        self._headers: dict[bytes, str] = {}
        self._live = live
        self.accepted: deque[object] = deque(maxlen=MAX_SURPLUS)
        self.kept_s = 0.0
        self.lost_s = math.inf
        self.is_fast = self.is_hurried = False
        self.lost = asyncio.Event()
        self.is_early = False
        self.announces_close = False
        self.begun_s = self.heard_s = self._loop.time()

    def use(self, transport: asyncio.Transport, *, lowest: asyncio.Transport) -> None:
        """Write to this transport.

        :param lowest: the one with the socket. Below TLS it has a write buffer of its own.
        """
        self._transport, self._lowest = transport, lowest

    def write(self, request: bytes, *, timeout_s: float) -> asyncio.Future[Answer]:
        """Write a whole request before this returns, as far as the system takes it.

        :param timeout_s: for the answer, counted by ``sweep``.
        :returns: the answer, or an AnswerError, OSError or TimeoutError.
        """
        self.begun_s = self._loop.time()
        self._deadline_s = self.begun_s + timeout_s
        self._waiter = self._loop.create_future()
        self._transport.write(request)
        return self._waiter

    def write_behind(self, request: bytes) -> None:
        """Write a request for whose answer nobody waits: it goes to ``unread``."""
        self._transport.write(request)

    def sweep(self) -> None:
        """End the wait for an answer whose time is over."""
        if self._waiter is not None and self._loop.time() >= self._deadline_s:
            self._fail(TimeoutError())

    def drop(self) -> None:
        """Close the connection at once, whatever is still to be written."""
        self._transport.abort()

    @property
    def has_surplus(self) -> bool:
        """Whether bytes came that belong to no request."""
        is_partial = self._is_broken or (self._is_reading and self._waiter is None)
        return self._is_spoilt or is_partial or bool(self._unread)

    @property
    def is_fit(self) -> bool:
        """Whether another request may be written: neither side has closed it, or said so, and no stray bytes came."""
        # in one call, with what ``has_surplus`` says: it is looked at twice for each request
        return not (
            self.announces_close
            or self._is_spoilt
            or self._is_broken
            or self._unread
            or (self._is_reading and self._waiter is None)
            or self.lost_s < math.inf
            or self._transport.is_closing()
        )

    def has_bytes(self) -> bool:
        """Whether the system has bytes, or the end, of which the event loop does not know yet."""
        waiting = select.poll()
        waiting.register(self._lowest.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(waiting.poll(0))

    def unread(self) -> list[Answer | None]:
        """The answers that came while nobody waited for one; None stands for bytes that are no whole answer."""
        is_partial = self._is_reading or self._is_broken or (self._is_spoilt and not self._unread)
        return [*self._unread, None] if is_partial else list(self._unread)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self.heard_s = self._loop.time()
        if self._waiter is None:
            self._is_spoilt = True
        elif self._lowest.get_write_buffer_size() or (
            self._transport is not self._lowest and self._transport.get_write_buffer_size()
        ):
            self.is_early = True
        self._read_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._is_broken = True
            self._fail(AnswerError("the answer is not HTTP"))
        try:
            _check_length(self._read_bytes)
        except AnswerError as error:
            self._is_broken = True
            self._fail(error)
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait for an answer: it is not whole if only the end of the connection would complete it."""
        self._live.discard(self)
        self.lost_s = self._loop.time()
        self.lost.set()
        self._fail(exc or AnswerError("the connection was closed before the whole answer came"))

    def on_message_begin(self) -> None:
        """Begin an answer. The bytes of one chunk may hold more than one."""
        self._is_reading = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the headers that are used."""
        if len(name) in _HEADER_LENGTHS:
            self._headers[name.lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Hand over an answer."""
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, {}
        body, self._body = self._body, b""
        self._is_reading = False
        if status < 200:  # 100 Continue, 103 Early Hints: the answer follows
            return
        length, self._read_bytes = self._read_bytes, 0
        self.announces_close = self.announces_close or not self._parser.should_keep_alive()
        waiter, self._waiter = self._waiter, None
        try:
            _check_length(length)
            body = _decode(body, headers.get(b"content-encoding", "identity"))
        except AnswerError as error:
            if waiter is None:
                self._unread.append(None)
            elif not waiter.done():
                waiter.set_exception(error)
            return
        answer = Answer(status, body, retry_after=headers.get(b"retry-after"), date=headers.get(b"date"))
        if waiter is None:
            self._unread.append(answer)
        elif not waiter.done():
            waiter.set_result(answer)

    def _fail(self, error: Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)


class Body:
    """Dumps the bodies of requests; a text that the request before had as well is not dumped again."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, str]] = {}

    def dump(self, body: Mapping[str, object]) -> bytes:
        """As ``json.dumps`` does."""
        last, parts = self._last, []
        for name, value in body.items():
            if type(value) is not str:
                parts.append(f"{encode_basestring_ascii(name)}: {json.dumps(value)}")
                continue
            known = last.get(name)
            if known is None or known[0] is not value:
                known = last[name] = value, f"{encode_basestring_ascii(name)}: {encode_basestring_ascii(value)}"
            parts.append(known[1])
        return f"{{{', '.join(parts)}}}".encode()


class ConnectionCheck:
    """A request that changes nothing, for a path that no API has: its answer shows that all before it have come.

    The connection ends with it. It carries no credentials.

    :param head: the first lines of a request for a path, without credentials.
    """

    def __init__(self, head: Callable[[str], str], *, read: Read) -> None:
        self._read = read
        self._name = f"no-such-path-{token_hex(8)}"
        self.request: Final = f"{head(f'/{self._name}')}Connection: close\r\n\r\n".encode()

    def accepts(self, answer: Answer | None) -> bool:
        """Whether the answer is the acceptance of a message."""
        return answer is not None and self._read(answer).kind is Outcome.ACCEPTED

    def is_answered_by(self, answer: Answer | None) -> bool:
        """Whether this is the check's own answer: an answer about one message is no answer to it."""
        return answer is not None and (self._name.encode() in answer.body or self._read(answer).kind is Outcome.REFUSED)

    def is_passed_by(self, answer: Answer | None) -> bool:
        """Whether the message before the check was not sent, whether this answer is the check's or the message's."""
        if answer is None:
            return False
        return self._name.encode() in answer.body or self._read(answer).kind in NOT_SENT


_HEADER_LENGTHS: Final = frozenset(map(len, (b"date", b"retry-after", b"content-encoding")))


def _check_length(length: int) -> None:
    if length > MAX_ANSWER_BYTES:
        raise AnswerError("the answer is too long")


def _decode(body: bytes, encoding: str) -> bytes:
    """The body without its content encoding, which no request wants.

    :raises AnswerError: the encoding is unknown or broken, or what it holds is too long.
    """
    if not body or encoding == "identity":
        return body
    try:
        inflating = zlib.decompressobj(32 + zlib.MAX_WBITS)  # 32: gzip or zlib
        inflated = inflating.decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        raise AnswerError("the answer cannot be decoded") from None
    if encoding.lower() not in {"gzip", "x-gzip", "deflate"} or not inflating.eof:
        raise AnswerError("the answer cannot be decoded")
    return inflated
