"""What stops a run. What happens to one message is a value (an outcome), never an exception."""

from typing import Self


class DropCowboyError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(DropCowboyError):
    """A wrong argument, connection or environment; nothing was sent."""


class SourceError(DropCowboyError):
    """The source could not be read to its end. The ledger has what was sent until then: run again."""


class GuardError(DropCowboyError):
    """A limit the user set was passed, or a guard refused the run."""


class StaleRunError(GuardError):
    """A scheduled or backfilled run is too old to send.

    :ivar is_begun: whether an earlier run of the campaign sent a message.
    """

    def __init__(self, message: str, *, is_begun: bool) -> None:
        super().__init__(message)
        self.is_begun = is_begun


class RejectRateError(GuardError):
    """Drop Cowboy refused a larger share of a run's requests than the task allows."""


class UnknownRateError(GuardError):
    """A larger share of a run's requests is in doubt than the task allows."""


class NothingAcceptedError(GuardError):
    """No message of a run was accepted: each was refused, or is in doubt."""


class NothingSentError(GuardError):
    """No message of the campaign was sent, and the task is set to fail then."""


class PausedError(GuardError):
    """A person paused the campaign, or all of them."""


class InterruptedRunError(DropCowboyError):
    """The process has to end. The ledger has the messages that were in flight."""


class BalanceError(DropCowboyError):
    """A run and the ledger differ: a rule of this package was broken, or somebody changed the ledger."""


class VendorError(DropCowboyError):
    """The API did not do what the request says."""


class AuthenticationError(VendorError):
    """The API refused the credentials, or what they may do."""


class RejectedError(VendorError):
    """The API read the request and refused it, with a reason."""


class NotTakenError(VendorError):
    """The request was not carried out: no byte of it was written, or the API answered 429."""


class AmbiguousError(VendorError):
    """The request may have been carried out: settle it, do not repeat it."""


class VendorDownError(VendorError):
    """Many requests in a row failed, so the run stopped. A later run goes on."""


class LedgerError(DropCowboyError):
    """The ledger's database was not reached, or a statement failed."""


class NoLedgerError(LedgerError):
    """There is no ledger at this place, and only a send or `dropcowboy ledger upgrade` creates one."""

    @classmethod
    def at(cls, place: object) -> Self:
        """The error for a place, with what to do."""
        return cls(
            f"There is no ledger at {place} yet. The first send task creates it, and so does `dropcowboy ledger "
            "upgrade`. If a task has sent, this process reads another ledger: set the same ledger_conn_id or "
            "DROPCOWBOY_LEDGER_URL."
        )


class LedgerReplacedError(LedgerError):
    """The ledger's file was deleted, replaced or overwritten while this process had it open."""


class SchemaVersionError(LedgerError):
    """The ledger's tables are of another version than this package needs."""


class CallbackError(DropCowboyError):
    """A callback that cannot be read."""
