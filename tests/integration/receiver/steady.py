"""A vendor that posts callbacks at a steady rate, each second one over a connection that it keeps."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

RATE_PER_S: Final = 200.0
REUSED_WITHIN_S: Final = 1.0
BODY: Final = b'{"status": "success"}'


class SteadyVendor:
    """Posts from a thread of its own within the block.

    :param target: path of a callback, by its number.
    :ivar answers: how many callbacks met what: a status, or the error's name.
    :ivar posted: how many were posted.
    """

    def __init__(self, port: int, *, target: Callable[[int], str]) -> None:
        self.answers: Counter[str] = Counter()
        self.posted = 0
        self._port = port
        self._target = target
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._post_all()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    async def _post_all(self) -> None:
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        async with asyncio.TaskGroup() as callbacks:
            while not self._is_over.is_set():
                callbacks.create_task(self._post(self.posted))
                self.posted += 1
                next_at += 1 / RATE_PER_S
                await asyncio.sleep(max(0.0, next_at - loop.time()))
        for _, writer, _ in self._kept:
            writer.close()

    def _reused(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection that was used a moment ago: a server may close one that is idle at any time."""
        now = asyncio.get_running_loop().time()
        while self._kept:
            reader, writer, used_at = self._kept.pop()
            if now - used_at < REUSED_WITHIN_S and not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _post(self, number: int) -> None:
        keeps = number % 2 == 0
        head = f"POST {self._target(number)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        try:
            reader, writer = (self._reused() if keeps else None) or await asyncio.open_connection(
                "127.0.0.1", self._port
            )
            writer.write(head + BODY)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            self.answers[answer[9:12].decode()] += 1
            if keeps and b"connection: close" not in answer:
                self._kept.append((reader, writer, asyncio.get_running_loop().time()))
            else:
                writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.answers[type(error).__name__] += 1
