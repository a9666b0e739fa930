"""New, empty databases for ledgers, without pytest."""

import os
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

DATABASES: Final = ("sqlite", "postgresql")


class Databases:
    """As many databases of a kind as are asked for; a context manager: they are gone afterwards.

    :param kind: one of ``DATABASES``.
    :param folder: for the files of SQLite; nobody else may look into it.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._numbers = count(1)
        self._opened = ExitStack()
        self._server: PostgresServer | None = None

    def new(self) -> str:
        """SQLAlchemy's address of another one."""
        if self._server is not None:
            return self._server.url(self._server.create_database())
        return f"sqlite:///{self._folder.absolute() / f'ledger-{next(self._numbers)}.db'}"

    def __enter__(self) -> Self:
        if self._kind == "postgresql":
            os.environ.setdefault("XDG_RUNTIME_DIR", str(self._folder))  # else platformdirs warns on import
            from tests.postgres_server import PostgresServer

            self._server = self._opened.enter_context(PostgresServer())
        return self

    def __exit__(self, *_error: object) -> None:
        self._opened.close()
