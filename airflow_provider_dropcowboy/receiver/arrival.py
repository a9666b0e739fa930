"""A callback between the wire and the ledger."""

from dataclasses import dataclass, field

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.api.callbacks import Callback, parse_callback
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.ledger.reconcile import Received
from airflow_provider_dropcowboy.ledger.schema import FOREIGN_ID_CHARACTERS


@dataclass(frozen=True, slots=True)
class Arrival:
    """A callback as it came.

    :param ticket: what its URL proves; None: it came through the account-wide webhook, which proves nothing.
    """

    ticket: Ticket | None
    body: bytes = field(repr=False)

    def read(self) -> Received:
        """What the ledger keeps of it."""
        try:
            callback = parse_callback(self.body)
        except CallbackError:
            return self.unread()
        attempt = self.ticket.attempt if self.ticket else None
        return Received(self._foreign_id(callback), attempt, callback, self._payload())

    def unread(self) -> Received:
        """The payload alone, kept as one that cannot be read."""
        if self.ticket is None:
            return Received(None, None, None, self._payload())
        return Received(self.ticket.foreign_id, self.ticket.attempt, None, self._payload())

    def _payload(self) -> str:
        # no database stores a NUL in a text; everything else of any bytes can be told from what is kept
        return self.body.decode(errors="backslashreplace").replace("\0", "\\x00")

    def _foreign_id(self, callback: Callback) -> str | None:
        if self.ticket is not None:
            return self.ticket.foreign_id
        # a longer one is not ours, and an index takes none of any length: the whole batch would fail
        is_ours = callback.foreign_id is not None and len(callback.foreign_id) <= FOREIGN_ID_CHARACTERS
        return callback.foreign_id if is_ours else None
