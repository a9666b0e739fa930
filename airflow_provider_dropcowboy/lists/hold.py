"""Having a list alone while it is brought in step: waiting for one who is dead, refusing beside one who lives."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_dropcowboy.errors import DropCowboyError, InterruptedRunError, LedgerError, NotTakenError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.shares import has_room_for_sync
from airflow_provider_dropcowboy.ledger.syncs import Held, Hold, Sync, begin_sync
from airflow_provider_dropcowboy.lists.stop import Stop

BEAT_EVERY_S: Final = 15.0
LOOK_EVERY_S: Final = 5.0
WAIT_FOR_CONNECTIONS_S: Final = 1.0

log = logging.getLogger(__name__)


@contextmanager
def holding(
    ledger: Ledger, account: str, *, name: str, mode: str, who: Who, timeout_s: float, stop: Stop
) -> Iterator[Hold]:
    """Within the block, nobody else changes the list.

    A sync that died is waited for until no call of it can be under way. One that lives is not.

    :raises NotTakenError: another sync of the list lives; nothing was changed.
    """
    hold = Hold(ledger, _begin(ledger, account, name=name, mode=mode, who=who, timeout_s=timeout_s, stop=stop))
    is_over = threading.Event()
    heart = threading.Thread(target=_beat, args=(hold, is_over, stop), name="dropcowboy-list-heart", daemon=True)
    heart.start()
    try:
        yield hold
    except DropCowboyError as error:
        # of any other error nobody knows what was under way: the list is free when its lease and a call's time are over
        is_over.set()
        _end(hold, reason=type(error).__name__)
        raise
    finally:
        is_over.set()
        heart.join()


def wait_for_connections(hold: Hold, *, limit: int, stop: Stop) -> None:
    """The runs of the account have given back the connections that this sync may use.

    :param limit: of the account, over all its runs and syncs.
    :raises InterruptedRunError: the sync is to stop.
    """
    is_told = False
    while not has_room_for_sync(hold.ledger, hold.sync.account, hold.sync.id, limit=limit):
        if not is_told:
            log.info("others use all %d connections of the account; waiting until they give some back", limit)
            is_told = True
        stop.wait(WAIT_FOR_CONNECTIONS_S)


def _begin(ledger: Ledger, account: str, *, name: str, mode: str, who: Who, timeout_s: float, stop: Stop) -> Sync:
    first: Held | None = None
    while True:
        begun = begin_sync(ledger, account, name=name, mode=mode, who=who, timeout_s=timeout_s)
        if isinstance(begun, Sync):
            return begun
        if first is None:
            first = begun
            log.info("contact list %r is held by %s until %s; waiting whether it lives", name, begun.who, begun.until)
        elif (first.sync_id, first.until) != (begun.sync_id, begun.until):
            raise NotTakenError(
                f"Contact list {name!r} is being changed by {begun.who}, which lives. Nothing was changed by this one. "
                "Run it again when that one is done; max_active_runs=1 of the DAG, or a pool of one slot, avoids it."
            )
        left_s = (begun.until - begun.at).total_seconds()
        stop.wait(min(max(left_s, 0.0) + 0.1, LOOK_EVERY_S))


def _end(hold: Hold, *, reason: str) -> None:
    try:
        hold.give_up(reason)
    except LedgerError:
        log.warning("the ledger did not take the end of this sync; its list is free again when its lease is over")


def _beat(hold: Hold, is_over: threading.Event, stop: Stop) -> None:
    while not is_over.wait(BEAT_EVERY_S):
        try:
            hold.beat()
        except InterruptedRunError as error:
            stop.order(str(error))
            return
        except LedgerError:
            log.warning("the ledger did not take a heartbeat of this sync")
