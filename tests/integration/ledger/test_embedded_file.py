"""An embedded ledger's file that is deleted, replaced or overwritten while it is open, and who may read it."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.errors import LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.integration.ledger.conftest import Desk, begin, message, messages


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger_url(path: Path) -> str:
    """PostgreSQL keeps its files to itself."""
    return f"sqlite:///{path}"


@pytest.fixture
def older(desk: Desk, path: Path, tmp_path: Path) -> Path:
    """A backup from before anyone was claimed."""
    copy = tmp_path / "older.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    return copy


@pytest.fixture
def reader(path: Path, desk: Desk) -> Iterator[Ledger]:
    """A process that never sends: the receiver or the report page."""
    opened = open_ledger(f"sqlite:///{path}")
    yield opened
    opened.engine.dispose()


def delete(path: Path, _older: Path) -> None:
    path.unlink()


def delete_whole(path: Path, _older: Path) -> None:
    for each in path.parent.glob("ledger.db*"):
        each.unlink()


def replace(path: Path, older: Path) -> None:
    older.replace(path)


def restore(path: Path, older: Path) -> None:
    """As docs/operations.md says."""
    delete_whole(path, older)
    shutil.copy(older, path)


def overwrite(path: Path, older: Path) -> None:
    """What ``cp`` does: the file stays the same one to the operating system."""
    path.write_bytes(older.read_bytes())


def overwrite_and_delete_log(path: Path, older: Path) -> None:
    overwrite(path, older)
    path.with_name("ledger.db-wal").unlink()
    path.with_name("ledger.db-shm").unlink()


def look(desk: Desk) -> None:
    assert desk.ledger.file is not None
    desk.ledger.file.check()


def write_back(path: Path, desk: Desk) -> None:
    """Move what was committed from the log into the file, as SQLite does from time to time; the next look sees it."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    look(desk)


LOSSES = [delete, delete_whole, replace, restore, overwrite, overwrite_and_delete_log]


@pytest.mark.parametrize("lose", LOSSES)
def test_nothing_is_claimed_in_a_file_that_was_lost(
    desk: Desk, path: Path, older: Path, lose: Callable[[Path, Path], None]
) -> None:
    desk.claim(*messages(range(2_000)))
    write_back(path, desk)
    lose(path, older)
    for _ in ("the next batch", "one after it"):
        with pytest.raises(LedgerReplacedError, match="nothing more is sent"):
            desk.claim(message("2001"))
    if lose not in (overwrite, overwrite_and_delete_log):  # these take a connection to be noticed
        with pytest.raises(LedgerReplacedError):
            look(desk)


def test_a_file_that_is_overwritten_before_its_log_was_written_back_has_lost_nothing(
    desk: Desk, path: Path, older: Path
) -> None:
    claimed = desk.claim(*messages(range(500))).claimed
    path.write_bytes(older.read_bytes())
    again = desk.claim(*(claim.message for claim in claimed))
    assert (len(again.already), again.claimed) == (500, [])
    with desk.ledger.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


@pytest.mark.parametrize("lose", LOSSES)
def test_no_sender_begins_beside_a_lost_ledger_and_its_copy_knows_who_was_claimed(
    desk: Desk, path: Path, older: Path, lose: Callable[[Path, Path], None]
) -> None:
    claimed = desk.claim(*messages(range(2_000))).claimed
    write_back(path, desk)
    lose(path, older)
    with pytest.raises(LedgerReplacedError, match="is a copy of what the ledger held"):
        desk.claim(message("2001"))
    with pytest.raises(LedgerReplacedError, match=r"Nothing was sent\. To go on with that copy"):
        open_ledger(f"sqlite:///{path}", may_create=True)
    (copy,) = path.parent.glob("ledger.db.lost-*")
    desk.ledger.engine.dispose()
    if lose in (overwrite, overwrite_and_delete_log):
        return  # what was written over is gone
    for each in ("", "-wal", "-shm"):
        path.with_name(path.name + each).unlink(missing_ok=True)
    copy.replace(path)
    found = open_ledger(f"sqlite:///{path}", may_create=True)
    again = Desk(found, begin(found)).claim(*(claim.message for claim in claimed))
    found.engine.dispose()
    assert (len(again.already), again.claimed) == (2_000, [])


def test_a_commit_into_a_file_that_is_lost_meanwhile_is_not_believed(ledger: Ledger, path: Path) -> None:
    with pytest.raises(LedgerReplacedError), ledger.writing():
        path.unlink()


@pytest.mark.parametrize("lose", [delete_whole, replace, restore])
def test_who_only_reads_or_receives_notices_too_and_finds_the_new_file_when_it_opens_it_anew(
    desk: Desk, reader: Ledger, path: Path, older: Path, lose: Callable[[Path, Path], None]
) -> None:
    desk.claim(message("1"))
    lose(path, older)
    with pytest.raises(LedgerReplacedError), reader.writing():
        pass
    with pytest.raises(LedgerReplacedError), reader.reading():
        pass
    is_deleted = not path.exists()
    # a person who puts another file there means it; a file that is gone is kept for whoever looks for it
    assert len(list(path.parent.glob("ledger.db.lost-*"))) == is_deleted
    if is_deleted:
        assert not path.exists(), "an empty ledger was left in its place"
        return
    again = open_ledger(f"sqlite:///{path}")
    assert again.ledger_id == reader.ledger_id
    again.engine.dispose()


def test_a_file_that_comes_back_is_the_ledger_again(desk: Desk, path: Path, tmp_path: Path) -> None:
    aside = path.rename(tmp_path / "aside.db")
    with pytest.raises(LedgerReplacedError):
        look(desk)
    aside.rename(path)
    assert len(desk.claim(message("1")).claimed) == 1


def test_only_its_owner_may_read_a_ledger_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = open_ledger(f"sqlite:///{path}", may_create=True)
        desk = Desk(ledger, begin(ledger))
        desk.claim(message("1"))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("ledger.db*")}
        path.unlink()
        with pytest.raises(LedgerReplacedError):
            desk.claim(message("2"))
        (copy,) = path.parent.glob("ledger.db.lost-*")
    finally:
        os.umask(before)
        ledger.engine.dispose()
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_folder_in_which_no_file_can_be_made_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be created"):
        open_ledger(f"sqlite:///{tmp_path}/file/ledger.db", may_create=True)
