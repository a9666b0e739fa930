"""Many sends at once: bytes out, replies in. What a reply means stands in ``api/answers``."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome, read_send_answer
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Broken, NotWritten, Reply, Request
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.transport._words import why
from airflow_provider_dropcowboy.transport.http1 import AnswerError
from airflow_provider_dropcowboy.transport.kept import Keeper, OnDoubt
from airflow_provider_dropcowboy.transport.kept_connection import NOT_SENT, KeptConnection
from airflow_provider_dropcowboy.transport.origin import ConnectError, Origin, header_lines

JSON: Final = "application/json"
TICK_S: Final = 0.1
STALL_S: Final = 0.5
LEASE_ENDED: Final = NotWritten("the claim's lease was over")
EARLY: Final = Broken("an answer came before the request was written")


class NothingWrittenError(asyncio.CancelledError):
    """Cancelled before the first byte."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came back, and what it means as far as is known yet.

    :param proof: of an answer that would free the message, or came too fast; says later whether it belongs to the
        request. None: the outcome is final.
    """

    reply: Reply
    outcome: SendOutcome
    proof: "asyncio.Task[bool] | None" = None

    async def confirmed(self) -> "Reading":
        """The same, once it is known for certain; in doubt if the answer may belong to another request."""
        if self.proof is None or await self.proof:
            return self
        return _unanswered(Broken("the answer may belong to another request"))


class BulkSender:
    """A session of one account. Use as an async context manager, in one event loop."""

    def __init__(
        self,
        account: Account,
        *,
        connections: int,
        timeout_s: float,
        verify: bool | str,
        clock: Clock = SYSTEM_CLOCK,
        on_doubt: OnDoubt = lambda _key: None,
    ) -> None:
        self._base_url = account.base_url
        self._headers = {
            **vendor_of(account).headers(account),
            "Content-Type": JSON,
            "Accept": JSON,
            "Accept-Encoding": "identity",
        }
        self._read = vendor_of(account).read_send
        self._is_keyed = vendor_of(account).key_lasts is not None
        self._connections = connections
        self._timeout_s = timeout_s
        self._on_doubt = on_doubt
        self._verify = verify
        self._clock = clock
        self._ticked_s = clock.boot_s()
        self._heads: dict[str, bytes] = {}

    async def __aenter__(self) -> Self:
        # the environment's proxy is looked up once, not for every request
        self._origin = Origin(self._base_url, headers=self._headers, verify=self._verify)
        self._keeper = Keeper(
            self._origin,
            connections=self._connections,
            timeout_s=self._timeout_s,
            clock=self._clock,
            read=self._read,
            on_doubt=self._on_doubt,
            is_keyed=self._is_keyed,
        )
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        self._keeper.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

    async def settle(self) -> None:
        """Wait until every answer that was read is known to belong to its request, or was reported to ``on_doubt``."""
        await self._keeper.settle()

    async def post(self, path: str, body: Mapping[str, object], *, lease_ends: Deadline) -> Reply:
        """``send``, until its answer is known to be the request's own."""
        return (await (await self.send(Request("POST", path, body=body), lease_ends=lease_ends)).confirmed()).reply

    async def send(self, request: Request, *, lease_ends: Deadline, key: object = None) -> Reading:
        """Write one request and read its answer. Asks once: never again, and never elsewhere (redirects).

        :param lease_ends: checked just before the first byte is written.
        :param key: what ``on_doubt`` is called with if an acceptance turns out to be another request's.
        :raises NothingWrittenError: cancelled, and the vendor surely took nothing. Any other cancellation is in doubt.
        """
        if self._clock.boot_s() - self._ticked_s > STALL_S:
            # the loop stood still: let it see first which kept connections the server has closed meanwhile
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        try:
            written = self._bytes(request)
            connection = await self._keeper.connection()
        except asyncio.CancelledError as error:
            raise NothingWrittenError from error
        except Exception as error:  # noqa: BLE001  # whatever it is: nothing was written, and the other sends go on
            return _unanswered(NotWritten(self._why(error)))
        # from here to the wait for the answer the loop does not turn: what is not written yet is never written later
        if self._clock.has_passed(lease_ends):
            connection.drop()
            return _unanswered(LEASE_ENDED)
        answering = connection.write(written, timeout_s=self._timeout_s)
        try:
            answer = await answering
        except asyncio.CancelledError:
            connection.drop()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is: the request was written
            self._keeper.give_up(connection)
            return _unanswered(Broken(self._why(error)))
        if connection.is_early:
            connection.drop()
            return _unanswered(EARLY)
        outcome = self._read(answer)
        return Reading(answer, outcome, self._judge(connection, outcome, key=key))

    def _judge(self, connection: KeptConnection, outcome: SendOutcome, *, key: object) -> "asyncio.Task[bool] | None":
        """The proof of an answer that needs one."""
        if outcome.kind is Outcome.ACCEPTED:
            return self._keeper.accept(connection, key)
        if outcome.kind in NOT_SENT:
            return self._keeper.check(connection)
        self._keeper.retire(connection)
        return None

    def _bytes(self, request: Request) -> bytes:
        head = self._heads.get(request.path)
        if head is None:
            head = self._heads[request.path] = self._origin.head("POST", request.path).encode()
        if request.headers:
            head += header_lines(request.headers).encode()
        content = json.dumps(request.body).encode()
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(content), content)

    def _why(self, error: Exception) -> str:
        """For people, without a URL or an address."""
        return str(error) if isinstance(error, AnswerError | ConnectError) else why(error, timeout_s=self._timeout_s)

    async def _tick(self) -> None:
        while True:
            self._ticked_s = self._clock.boot_s()
            self._keeper.sweep()
            await asyncio.sleep(TICK_S)


def _unanswered(reply: Broken | NotWritten) -> Reading:
    return Reading(reply, read_send_answer(reply))
