"""The receiver as a server of its own, by uvicorn."""

import os
import socket
import tempfile
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from airflow_provider_dropcowboy.receiver.metrics import SHARED_FOLDER

BACKLOG: Final = 2048  # the vendor's callbacks come in bursts, many connections at once
GRACE_S: Final = 15  # above the vendor's own limit of 10: what has begun is answered
KEEP_ALIVE_S: Final = 30


def serve(make_app: Callable[[], ASGIApp], listener: socket.socket, *, workers: int) -> None:
    """Until SIGTERM or SIGINT; what was taken by then is answered.

    :param make_app: called in each worker; with several of them it is pickled.
    :param listener: bound; it is shared by the workers.
    """
    listener.listen(BACKLOG)
    config = uvicorn.Config(
        make_app,
        factory=True,
        workers=workers,
        lifespan="on",
        log_config=None,
        access_log=False,  # its lines would hold tokens
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    if workers == 1:
        uvicorn.Server(config).run([listener])
        return
    with tempfile.TemporaryDirectory(prefix="dropcowboy-metrics-") as folder:
        os.environ.setdefault(SHARED_FOLDER, folder)
        Multiprocess(config, [listener]).run()
