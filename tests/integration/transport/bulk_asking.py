"""Asking in bulk, and servers that are rude in ways of their own."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from datetime import timedelta

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Reply
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.bulk import BulkSender
from tests.integration.transport.scripted_server import (
    Conversation,
    Step,
    answer,
)

SECRET = "s3cret/of-the-team"
PHONE = "+15045550100"
BODY = {"team_id": "team", "secret": SECRET, "phone_number": PHONE, "foreign_id": "f1"}
QUEUED = b'{"status": "queued"}'
KEPT = answer(200, QUEUED, keep_alive=True)
WAIT_S = 60.0

Asking = Callable[[BulkSender], Awaitable[Reply]]


def sender(
    base_url: str,
    *,
    timeout_s: float = WAIT_S,
    verify: bool | str = True,
    connections: int = 1,
    clock: Clock = SYSTEM_CLOCK,
) -> BulkSender:
    account = Account("team", Secret(SECRET), base_url)
    return BulkSender(account, connections=connections, timeout_s=timeout_s, verify=verify, clock=clock)


def lease_ends() -> Deadline:
    return SYSTEM_CLOCK.deadline(timedelta(minutes=1))


def post(base_url: str, *, timeout_s: float = WAIT_S, verify: bool | str = True, times: int = 1) -> Reply:
    """The last reply of so many requests, one after the other."""

    async def ask() -> Reply:
        async with sender(base_url, timeout_s=timeout_s, verify=verify) as wire:
            for _ in range(times):
                await wire.settle()  # a connection that was quiet for a time carries the next one
                reply = await wire.post("/rvm", BODY, lease_ends=lease_ends())
            return reply

    reply = asyncio.run(ask())
    assert SECRET not in repr(reply)
    assert PHONE not in repr(reply)
    return reply


def reset_once_read(conversation: Conversation) -> None:
    """Read a request and reset the connection."""
    conversation.read_request()
    conversation.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_unread(conversation: Conversation) -> None:
    """Reset the connection once bytes have come, without reading one."""
    conversation.peer.recv(1, socket.MSG_PEEK)
    conversation.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(text: bytes) -> Step:
    """Read a request, write this, and close."""

    def step(conversation: Conversation) -> None:
        conversation.read_request()
        conversation.peer.sendall(text)

    return step
