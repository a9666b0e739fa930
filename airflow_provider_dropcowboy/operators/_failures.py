"""What ends a run, as Airflow's failure with or without retry."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def airflow_failures(keep: Callable[[str, str], object] | None = None) -> Iterator[None]:
    """Turn what a retry would not mend into Airflow's failure without retry, and the rest of ours into one with.

    A run that is too old is skipped, unless it was begun when it was not: then what is left fails for a person to see.

    :param keep: gets ``skipped`` or ``failed`` and the reason, unless the ledger is what failed.
    """
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

    from airflow_provider_dropcowboy.errors import (
        DropCowboyError,
        InterruptedRunError,
        LedgerError,
        LedgerReplacedError,
        NotTakenError,
        SchemaVersionError,
        SourceError,
        StaleRunError,
        VendorDownError,
    )

    try:
        try:
            yield
        except DropCowboyError as error:
            if keep is not None and not isinstance(error, LedgerError):
                is_skipped = isinstance(error, StaleRunError) and not error.is_begun
                keep("skipped" if is_skipped else "failed", str(error))
            raise
    except StaleRunError as error:
        raise (AirflowFailException if error.is_begun else AirflowSkipException)(str(error)) from error
    except (SchemaVersionError, LedgerReplacedError) as error:
        raise AirflowFailException(str(error)) from error
    except (NotTakenError, VendorDownError, LedgerError, SourceError, InterruptedRunError) as error:
        raise AirflowException(str(error)) from error
    except DropCowboyError as error:
        raise AirflowFailException(str(error)) from error
