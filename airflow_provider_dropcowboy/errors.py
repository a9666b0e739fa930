"""What stops a run. What happens to one message is a value (an outcome), never an exception."""

from typing import Self


class DropCowboyError(Exception):
    """Everything this package raises on purpose."""


class ConfigurationError(DropCowboyError):
    """A wrong argument, connection or environment; nothing was sent."""


class SourceError(DropCowboyError):
    """The source could not be read to its end; what was asked until then stands in the ledger: run again."""


class GuardError(DropCowboyError):
    """A limit the user set was passed, or a guard refused the run."""


class StaleRunError(GuardError):
    """A scheduled or backfilled run is too old to send.

    :ivar is_begun: whether anyone of its campaign was asked before.
    """

    def __init__(self, message: str, *, is_begun: bool) -> None:
        super().__init__(message)
        self.is_begun = is_begun


class RejectRateError(GuardError):
    """More of a run's requests were refused than the task allows."""


class UnknownRateError(GuardError):
    """More of a run's requests are in doubt than the task allows."""


class NothingAcceptedError(GuardError):
    """Not one message of a run stands as accepted: each was refused, or is in doubt."""


class NothingSentError(GuardError):
    """No message of the campaign was sent, and the task asks for a failure then."""


class PausedError(GuardError):
    """A person paused the campaign, or all of them."""


class InterruptedRunError(DropCowboyError):
    """The process was told to end; what was in flight is recorded."""


class BalanceError(DropCowboyError):
    """What a run did and what the ledger says differ: a rule of this package was broken, or the ledger was changed."""


class VendorError(DropCowboyError):
    """The API did not do what was asked."""


class AuthenticationError(VendorError):
    """The API refused the credentials, or what they may do."""


class RejectedError(VendorError):
    """The API read the request and refused it, with a reason."""


class NotTakenError(VendorError):
    """The request was surely not carried out: no byte of it was written, or the API answered 429."""


class AmbiguousError(VendorError):
    """The request may have been carried out: settle it, do not repeat it."""


class VendorDownError(VendorError):
    """One request after the other failed, so the run stopped; a later run goes on."""


class LedgerError(DropCowboyError):
    """The ledger's database was not reached, or did not do what was asked."""


class NoLedgerError(LedgerError):
    """There is no ledger where one was looked for, and who looks does not create it."""

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
