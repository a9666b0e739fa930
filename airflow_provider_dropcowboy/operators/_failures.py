"""What ends a run, as Airflow's failure with or without retry."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def airflow_failures() -> Iterator[None]:
    """Turn what a retry would not mend into Airflow's failure without retry, and the rest of ours into one with.

    A run that is too old is skipped, unless it was begun when it was not: then what is left fails for a person to see.
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
        yield
    except StaleRunError as error:
        raise (AirflowFailException if error.is_begun else AirflowSkipException)(str(error)) from error
    except (SchemaVersionError, LedgerReplacedError) as error:
        raise AirflowFailException(str(error)) from error
    except (NotTakenError, VendorDownError, LedgerError, SourceError, InterruptedRunError) as error:
        raise AirflowException(str(error)) from error
    except DropCowboyError as error:
        raise AirflowFailException(str(error)) from error
