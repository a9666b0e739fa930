"""What the quick way takes for a callback is one to any reader of HTTP, and the same one."""

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.receiver.quick import split_callback

GOOD = b"POST /callbacks/a.1.b.c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Reader:
    """What httptools reads of the first request."""

    def __init__(self) -> None:
        self.url, self.body, self.is_whole = b"", b"", False

    def on_url(self, url: bytes) -> None:
        self.url += b"" if self.is_whole else url

    def on_body(self, body: bytes) -> None:
        self.body += b"" if self.is_whole else body

    def on_message_complete(self) -> None:
        self.is_whole = True


def test_a_plain_callback_is_split_from_what_follows() -> None:
    assert split_callback(GOOD) == ("a.1.b.c", b"{}", b"")
    assert split_callback(GOOD + GOOD[:9]) == ("a.1.b.c", b"{}", GOOD[:9])


@pytest.mark.parametrize(
    "received",
    [
        GOOD[:-1],
        GOOD[:40],
        b"",
        GOOD.replace(b"POST", b"post"),
        GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GOOD.replace(b"a.1.b.c", b"a/b"),
        GOOD.replace(b"a.1.b.c", b"a%20"),
        GOOD.replace(b"a.1.b.c", b""),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: +2"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length : 2"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Encoding: gzip"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nExpect: 100-continue"),
        GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nConnection: close"),
        GOOD.replace(b"Host: x", b"Host: x\r\n folded: y"),
        GOOD.replace(b"Host: x", b"Host: x\ny: z"),
        GOOD.replace(b"Content-Length: 2\r\n", b""),
    ],
)
def test_anything_else_goes_the_long_way(received: bytes) -> None:
    assert split_callback(received) is None


LINES = (
    *(b"Host: x", b"Content-Length: 2", b"content-length:0", b"Content-Length: 07", b"Transfer-Encoding: chunked"),
    *(
        b"Accept: */*",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Content-Type: a\0b",
        b"Host:",
        b":",
        b" x",
        b"",
    ),
)


@given(
    head=st.lists(st.sampled_from(LINES), max_size=4),
    body=st.binary(max_size=12),
    end=st.sampled_from([b"\r\n", b"\n", b"\r"]),
)
@example(head=[b"Host: x", b"Content-Length: 2"], body=b"{}x", end=b"\r\n")
@example(head=[b"Content-Type: a\0b", b"Content-Length: 2"], body=b"{}", end=b"\r\n")
def test_what_is_taken_reads_the_same_to_httptools(head: list[bytes], body: bytes, end: bytes) -> None:
    received = end.join([b"POST /callbacks/a.1.b.c HTTP/1.1", *head, b"", body])
    found = split_callback(received)
    if found is None:
        return
    reader = Reader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(received)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        assert reader.is_whole, "only what follows is no request"
    assert (reader.url, reader.body, reader.is_whole) == (b"/callbacks/a.1.b.c", found[1], True)
