"""Answers that nobody asked for: whose answer is whose on a kept connection."""

import asyncio
import socket
import threading
from collections.abc import Sequence

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, Outcome, Reply, Request
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport import kept
from airflow_provider_dropcowboy.transport.bulk import BulkSender, Reading
from tests.integration.transport.bulk_asking import BODY, KEPT, QUEUED, SECRET, WAIT_S, lease_ends, post, say, sender
from tests.integration.transport.scripted_server import (
    Conversation,
    ScriptedServer,
    Step,
    answer,
    close_without_a_word,
    cut_off,
    echo,
    in_turn,
    wait_until_the_client_leaves,
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


STRAY = b"HTTP/1.1 429 Said\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND = b"HTTP/1.1 404 Said\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED


def keep_and_say(text: bytes, *, after: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED) -> Step:
    """Answer a request, say more, and wait until the client leaves."""

    def step(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.peer.sendall(after + text)
        wait_until_the_client_leaves(conversation)

    return step


def after(wait_s: float) -> Step:
    """Accept a request as if that took a while."""

    def step(conversation: Conversation) -> None:
        conversation.peer.recv(1, socket.MSG_PEEK)
        threading.Event().wait(wait_s)
        KEPT(conversation)

    return step


slowly, very_slowly = after(0.6), after(1.2)  # a machine that stands still for a moment is still faster


async def reported(
    base_url: str, *, keys: Sequence[str], is_last_hurried: bool = False, api: str = "v1"
) -> list[object]:
    """Of these messages, sent one after the other, those that were accepted and are in doubt now.

    :param is_last_hurried: the last is written before another answer to the one before could have come.
    """
    found: list[object] = []
    account = Account("team", Secret(SECRET), base_url, api_version=api)
    async with BulkSender(account, connections=1, timeout_s=WAIT_S, verify=True, on_doubt=found.append) as wire:
        for key in keys:
            if not (is_last_hurried and key == keys[-1]):
                await wire.settle()
            await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key=key)
        await wire.settle()
    return found


class TestAnAnswerThatNobodyAskedFor:
    @pytest.mark.parametrize("stray", [STRAY, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED])
    def test_the_next_request_goes_over_another_connection(self, stray: bytes) -> None:
        with ScriptedServer(keep_and_say(stray), KEPT) as server:

            async def ask() -> Reply:
                async with sender(server.base_url()) as wire:
                    await wire.post("/rvm", BODY, lease_ends=lease_ends())
                    await wire.settle()
                    return await wire.post("/rvm", BODY, lease_ends=lease_ends())

            assert asyncio.run(ask()) == Answer(200, QUEUED)
            assert len(server.requests) == 2

    @pytest.mark.parametrize("first", [STRAY, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"])
    def test_an_answer_that_would_free_the_message_is_in_doubt_if_another_follows(self, first: bytes) -> None:
        accepted = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED
        with ScriptedServer(keep_and_say(accepted, after=first)) as server:
            assert isinstance(post(server.base_url()), Broken)

    def test_an_answer_that_would_free_the_message_is_in_doubt_if_the_connection_breaks_after_it(self) -> None:
        with ScriptedServer(say(STRAY)) as server:  # it said that it would keep the connection
            assert isinstance(post(server.base_url()), Broken)

    @pytest.mark.parametrize(
        "own",
        [wait_until_the_client_leaves, say(ACCEPTED), say(ACCEPTED + NOT_FOUND)],
        ids=["never comes", "comes late, and ends the connection", "comes late"],
    )
    def test_an_answer_that_would_free_the_message_is_in_doubt_if_its_own_comes_late_or_never(self, own: Step) -> None:
        """The stray answer is written just as the request arrives; the request is carried out."""
        with ScriptedServer(in_turn(KEPT, say(STRAY), own)) as server:
            timeout_s = 3.0 if own is wait_until_the_client_leaves else WAIT_S
            assert isinstance(post(server.base_url(), times=2, timeout_s=timeout_s), Broken)

    @pytest.mark.parametrize("status", [400, 401, 404, 429])
    @pytest.mark.parametrize("check", [answer(404, b"Cannot GET it"), answer(403, b"{}"), answer(429), echo(200)])
    def test_an_answer_counts_once_a_request_after_it_was_answered_on_the_same_connection(
        self, status: int, check: Step
    ) -> None:
        steps = in_turn(KEPT, answer(status, b"{}", keep_alive=True), check)
        with ScriptedServer(steps) as server:
            assert post(server.base_url(), times=2) == Answer(status, b"{}")
        assert server.requests[2].startswith(b"GET /v1/no-such-path-")
        assert SECRET.encode() not in server.requests[2]
        assert b"team" not in server.requests[2]

    @pytest.mark.parametrize("check", [answer(200, QUEUED), answer(502), say(b""), cut_off])
    def test_it_is_in_doubt_if_that_answer_may_be_its_own_acceptance(self, check: Step) -> None:
        steps = in_turn(KEPT, answer(429, b"{}", keep_alive=True), check)
        with ScriptedServer(steps) as server:
            assert isinstance(post(server.base_url(), times=2), Broken)

    @pytest.mark.parametrize("head", ["HTTP/1.1 429 Said\r\nConnection: close", "HTTP/1.0 429 Said"])
    def test_it_counts_if_the_server_had_said_that_it_would_close(self, head: str) -> None:
        with ScriptedServer(say(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
            assert post(server.base_url()) == Answer(429)

    @pytest.mark.parametrize(
        ("first", "second"),
        [(STRAY, STRAY), (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", ACCEPTED)],
        ids=["429 twice", "500, then an acceptance"],
    )
    def test_acceptances_before_it_are_reported_as_doubtful(self, first: bytes, second: bytes) -> None:
        doubtful: list[object] = []

        async def ask(base_url: str) -> Reply:
            account = Account("team", Secret(SECRET), base_url)
            async with BulkSender(
                account, connections=1, timeout_s=WAIT_S, verify=True, on_doubt=doubtful.append
            ) as wire:
                for key in ("a", "b", "c"):
                    await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key=key)
                    await wire.settle()
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
                await wire.settle()
                return reply

        with ScriptedServer(in_turn(KEPT, KEPT, KEPT, keep_and_say(second, after=first))) as server:
            asyncio.run(ask(server.base_url()))
        assert doubtful == ["c"]  # it may have got the acceptance of another, and the first answer may be its own

    @pytest.mark.parametrize(
        ("rest", "is_believed"),
        [
            (answer(404), True),  # the check's answer: the acceptance was the message's own
            (say(ACCEPTED + NOT_FOUND), True),  # either is
            (say(b""), False),
            (say(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" + NOT_FOUND), False),
            (answer(400, b"{}"), False),  # its own: the server ends the connection with it
            (wait_until_the_client_leaves, False),
        ],
        ids=["it is its own", "accepted twice", "dropped", "an error", "a rejection", "silence"],
    )
    def test_an_acceptance_that_comes_too_fast_counts_once_it_is_known_to_be_the_messages_own(
        self, rest: Step, is_believed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stray acceptance is written as the request arrives; the others took a while."""
        monkeypatch.setattr(kept, "ENOUGH_ANSWERS", 2)

        async def ask(base_url: str) -> tuple[Reading, Reading]:
            account = Account("team", Secret(SECRET), base_url)
            async with BulkSender(account, connections=1, timeout_s=5.0, verify=True) as wire:
                for _ in range(kept.ENOUGH_ANSWERS + 1):
                    await wire.settle()
                    reading = await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends())
                return reading, await reading.confirmed()

        with ScriptedServer(in_turn(*[slowly] * kept.ENOUGH_ANSWERS, KEPT, rest)) as server:
            first, confirmed = asyncio.run(ask(server.base_url()))
        assert first.proof is not None  # until then, it is not recorded: a kill would leave it accepted
        assert confirmed.outcome.kind is (Outcome.ACCEPTED if is_believed else Outcome.UNKNOWN)

    @pytest.mark.parametrize(
        ("steps", "in_doubt"),
        [
            ([slowly, say(ACCEPTED)], ["second"]),
            ([slowly, say(ACCEPTED.replace(b"OK", b"OK\r\nConnection: close"))], []),
            ([slowly], []),  # on a new connection nobody else's answer waits
        ],
        ids=["used before", "with notice", "new"],
    )
    def test_an_acceptance_is_in_doubt_if_its_used_connection_ends_before_its_own_answer_could_have_come(
        self, steps: list[Step], in_doubt: list[str]
    ) -> None:
        with ScriptedServer(in_turn(*steps)) as server:
            assert asyncio.run(reported(server.base_url(), keys=("first", "second")[: len(steps)])) == in_doubt

    @pytest.mark.parametrize(
        "rest",
        [close_without_a_word, say(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")],
        ids=["dropped", "an error"],
    )
    def test_the_acceptance_before_a_request_that_breaks_is_in_doubt_if_its_own_answer_could_still_have_come(
        self, rest: Step, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept, "CONNECTIONS_PER_REQUEST", 1)  # no other connection may carry it
        with ScriptedServer(in_turn(slowly, say(ACCEPTED), rest)) as server:
            keys = ("first", "second", "third")
            assert asyncio.run(reported(server.base_url(), keys=keys, is_last_hurried=True)) == ["second"]

    @pytest.mark.parametrize(("api", "in_doubt"), [("v1", []), ("v2", ["third"])])
    def test_it_is_in_doubt_however_long_it_took_where_a_doubt_is_repeated(
        self, api: str, in_doubt: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kept, "CONNECTIONS_PER_REQUEST", 1)  # no other connection may carry it
        with ScriptedServer(in_turn(KEPT, very_slowly, slowly, close_without_a_word)) as server:
            keys = ("first", "second", "third", "fourth")
            assert asyncio.run(reported(server.base_url(), keys=keys, is_last_hurried=True, api=api)) == in_doubt

    def test_a_server_that_waited_in_vain_and_says_so_leaves_nothing_in_doubt(self) -> None:
        """A 408 to nothing, then the end (RFC 9110, 15.5.9)."""
        doubtful: list[object] = []

        async def ask(server: ScriptedServer) -> Reply:
            account = Account("team", Secret(SECRET), server.base_url())
            async with BulkSender(
                account, connections=1, timeout_s=WAIT_S, verify=True, on_doubt=doubtful.append
            ) as wire:
                await wire.send(Request("POST", "/rvm", body=BODY), lease_ends=lease_ends(), key="a")
                await asyncio.to_thread(server.closed[0].wait, WAIT_S)
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
                await wire.settle()
                return reply

        gone = b"HTTP/1.1 408 Late\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        answer_and_go = say(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + QUEUED + gone)
        with ScriptedServer(answer_and_go, KEPT) as server:
            assert asyncio.run(ask(server)) == Answer(200, QUEUED)
        assert doubtful == []

    def test_an_answer_that_comes_before_the_request_was_written_whole_does_not_count(self) -> None:
        is_over = threading.Event()

        def answer_half_way(conversation: Conversation) -> None:
            conversation.peer.recv(1)
            conversation.peer.sendall(STRAY)
            is_over.wait(WAIT_S)

        async def ask(base_url: str) -> Reply:
            async with sender(base_url) as wire:
                long = {**BODY, "tts_body": "x" * 20_000_000}  # more than the system takes at once
                return await wire.post("/rvm", long, lease_ends=lease_ends())

        with ScriptedServer(answer_half_way) as server:
            assert asyncio.run(ask(server.base_url())) == Broken("an answer came before the request was written")
            is_over.set()
