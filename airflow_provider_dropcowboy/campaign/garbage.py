"""What the garbage collector looks at while rows are judged and sent."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def old_objects_left_alone() -> Iterator[None]:
    """The garbage collector looks only at what is made within the block.

    A full collection over all that Airflow has loaded holds every thread for some 40 ms, again and again.
    """
    is_frozen = gc.get_freeze_count() > 0  # Airflow's executor does it, to share memory with its tasks
    gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()
