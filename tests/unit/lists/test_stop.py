"""How a sync is told to stop."""

import pytest

from airflow_provider_dropcowboy.errors import InterruptedRunError
from airflow_provider_dropcowboy.lists.vendor import Stop


def test_nothing_happens_until_the_order_is_given() -> None:
    stop = Stop()
    stop.check()
    stop.wait(0)


def test_an_order_ends_every_wait() -> None:
    stop = Stop()
    stop.order("SIGTERM came")
    for act in (stop.check, lambda: stop.wait(3600)):
        with pytest.raises(InterruptedRunError, match="The sync was stopped: SIGTERM came"):
            act()
