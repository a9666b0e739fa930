"""An ASGI app behind a real socket."""

import socket
import threading
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp

DEADLINE_S: Final = 60.0


class Serving:
    """A server of the app in a thread of this process, from ``start`` to ``stop``.

    :param has_lifespan: the app opens and closes something.
    :param make_server: another server than uvicorn's.
    :param loop: another loop than uvicorn's, as it names one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        has_lifespan: bool,
        make_server: Callable[[uvicorn.Config], uvicorn.Server] = uvicorn.Server,
        loop: str = "auto",
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, lifespan="on" if has_lifespan else "off", loop=loop)
        self._server = make_server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """It takes requests."""
        self._thread.start()

    def stop(self) -> None:
        """It has ended as after SIGTERM. A second call does no harm."""
        self._server.should_exit = True
        self._thread.join(DEADLINE_S)
        self._listener.close()
