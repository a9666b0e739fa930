"""One connection, byte by byte: whatever way an answer is cut or glued, it counts whole or not at all."""

import asyncio
import gzip
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.wire import Answer
from airflow_provider_dropcowboy.transport.http1 import MAX_ANSWER_BYTES, AnswerError, Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class SilentTransport(asyncio.Transport):
    """Takes what is written, and can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_closed

    def abort(self) -> None:
        self.is_closed = True


class Read:
    """What a connection made of bytes that came after one request.

    :param ends: the connection ends after them.
    """

    def __init__(self, chunks: Sequence[bytes], *, ends: bool = False) -> None:
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        asyncio.run(self._read(chunks, ends=ends))

    async def _read(self, chunks: Sequence[bytes], *, ends: bool) -> None:
        connection, transport = Connection(set()), SilentTransport()
        connection.use(transport, lowest=transport)
        answering = connection.write(b"GET / HTTP/1.1\r\n\r\n", timeout_s=60.0)
        for chunk in chunks:
            connection.data_received(chunk)
        if ends:
            connection.connection_lost(None)
        if answering.done():
            self.error = answering.exception()
            self.answer = None if self.error else answering.result()
        self.unread = connection.unread()
        self.has_surplus = connection.has_surplus
        self.is_fit = connection.is_fit
        assert self.has_surplus == bool(self.unread)


def cut(text: bytes, places: Sequence[int]) -> list[bytes]:
    """The bytes in pieces, none of them empty."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


def zipped(body: bytes) -> bytes:
    content = gzip.compress(body, mtime=0)  # in the name of a test
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)


PLACES = st.lists(st.integers(min_value=0), max_size=12)
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from([200, 400, 404, 429, 500, 503]),
    body=st.binary(max_size=40),
    retry_after=st.none() | st.just("7"),
    date=st.none() | st.just("Tue, 24 Nov 2026 12:00:00 GMT"),
)


@st.composite
def written(draw: st.DrawFn, answer: Answer) -> bytes:
    """An answer as servers write it: with a length or in chunks, perhaps after others that are not the answer."""
    early = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
    )
    lines = [b"HTTP/1.1 %d Said" % answer.status, b"Server: nginx"]
    if answer.retry_after is not None:
        lines.append(draw(st.sampled_from([b"Retry-After: 7", b"retry-after:7", b"RETRY-AFTER:   7"])))
    if answer.date is not None:
        lines.append(b"Date: " + answer.date.encode())
    if draw(st.booleans()):
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(answer.body, draw(PLACES)) if part)
        return early + b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", body]) + b"0\r\n\r\n"
    return early + b"\r\n".join([*lines, b"Content-Length: %d" % len(answer.body), b"", answer.body])


@given(st.data(), st.lists(ANSWERS, min_size=1, max_size=3), PLACES)
def test_answers_are_the_same_however_their_bytes_are_cut_and_glued(
    data: st.DataObject, answers: list[Answer], places: list[int]
) -> None:
    text = b"".join(data.draw(written(answer)) for answer in answers)
    read = Read(cut(text, places))
    assert read.answer == answers[0]
    assert read.unread == answers[1:]  # nobody had asked for these
    assert read.is_fit == (len(answers) == 1)


@given(st.data(), ANSWERS, PLACES)
def test_an_answer_that_breaks_off_anywhere_is_no_answer(
    data: st.DataObject, answer: Answer, places: list[int]
) -> None:
    text = data.draw(written(answer))
    end = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    read = Read(cut(text[:end], places) if end else [], ends=True)
    assert read.answer is None
    assert isinstance(read.error, AnswerError)


@given(st.data(), ANSWERS, PLACES)
def test_bytes_after_an_answer_always_show(data: st.DataObject, answer: Answer, places: list[int]) -> None:
    text = data.draw(written(answer))
    more = data.draw(st.binary(min_size=1, max_size=60).filter(lambda more: more.strip(b"\r\n")))
    read = Read([*cut(text, places), more])
    assert read.answer == answer
    assert read.has_surplus


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=5))
def test_bytes_that_are_no_http_are_no_answer(chunks: list[bytes]) -> None:
    read = Read([b"SSH-2.0\r\n", *chunks], ends=True)
    assert isinstance(read.error, AnswerError)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        zipped(b"x" * MAX_ANSWER_BYTES * 2),
        b"HTTP/1.1 200 OK\r\nX: %b" % (b"x" * MAX_ANSWER_BYTES),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%b" % (b"x" * 100_000),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000,
    ],
    ids=[
        "ended by the connection", "ended by the connection, announced", "another protocol", "two lengths",
        "a length and chunks", "not gzip", "an unknown encoding", "too long once decoded", "too long a head",
        "too long", "never the last answer",
    ],
)  # fmt: skip
def test_what_is_not_a_whole_answer_is_none(text: bytes) -> None:
    read = Read([text], ends=True)
    assert read.answer is None
    assert isinstance(read.error, AnswerError)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (zipped(b"{}"), b"{}"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nTrailer: x\r\n\r\n", b"{}"),
    ],
)
def test_a_whole_answer_in_an_uncommon_form_counts(text: bytes, body: bytes) -> None:
    read = Read([text])
    assert read.answer is not None
    assert read.answer.body == body
    assert not read.has_surplus


@pytest.mark.parametrize("end", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_connection_that_the_server_is_about_to_close_carries_no_other_request(end: bytes) -> None:
    read = Read([end + b"Content-Length: 2\r\n\r\n{}"])
    assert read.answer == Answer(200, b"{}")
    assert not read.is_fit
