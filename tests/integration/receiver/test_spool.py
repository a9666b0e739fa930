"""What is spooled is on disk, whoever dies."""

import base64
import fcntl
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.callbacks import Ticket
from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.spool import Spool

tickets = st.none() | st.builds(
    Ticket, st.text(alphabet="0123456789abcdef", min_size=1, max_size=48), st.integers(1, 999)
)
some = st.lists(st.builds(Arrival, tickets, st.binary(max_size=100)), min_size=1, max_size=5)


def drain(spool: Spool, limit: int = 3) -> list[Arrival]:
    """All that waits, oldest first; nothing waits afterwards."""
    drained: list[Arrival] = []
    while chunk := spool.read(limit):
        drained += chunk.arrivals
        spool.forget(chunk)
    return drained


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(some, max_size=4), limit=st.integers(1, 7))
def test_what_is_spooled_is_read_as_it_came(tmp_path: Path, batches: list[list[Arrival]], limit: int) -> None:
    spool = Spool(tmp_path / "spool")
    for batch in batches:
        assert spool.append(batch)
    spooled = [arrival for batch in batches for arrival in batch]
    assert spool.callbacks == len(spooled)
    assert drain(spool, limit) == spooled
    assert (spool.callbacks, spool.bytes) == (0, 0)
    spool.close()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def arrival(name: str) -> Arrival:
    return Arrival(Ticket(name, 1), b"{}")


def test_only_its_owner_can_look_into_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival("f1")])
    folder = tmp_path / "spool"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    spool.close()


def test_the_file_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    living, other = Spool(tmp_path), Spool(tmp_path)
    living.append([arrival("f1")])
    other.adopt()
    assert other.callbacks == 0
    living.close()
    other.adopt()
    third = Spool(tmp_path)
    third.adopt()
    assert (other.callbacks, third.callbacks) == (1, 0), "only one of them drains it"
    assert drain(other) == [arrival("f1")]
    assert list(tmp_path.iterdir()) == []
    other.close()


def test_a_callback_whose_transaction_did_not_end_was_never_answered(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tests.integration.receiver.test_spool import Spool, arrival\n"
        "spool = Spool(Path(sys.argv[1])); spool.append([arrival('f1')])\n"
        "spool._own.connection.execute('BEGIN'); spool._own.connection.execute('DELETE FROM callbacks')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    spool = Spool(tmp_path)
    spool.adopt()
    assert drain(spool) == [arrival("f1")]
    spool.close()


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The file of a dead process, with 2,000 callbacks on many pages."""
    dead = Spool(tmp_path)
    dead.append([Arrival(Ticket(f"f{number}", 1), b"{}" + b" " * 200) for number in range(2_000)])
    dead.close()
    (file,) = tmp_path.glob("*.db")
    return file


@pytest.mark.parametrize("part", [0.3, 0.5, 0.8])
def test_damage_costs_the_callbacks_where_it_is_and_no_others(left: Path, part: float) -> None:
    content = bytearray(left.read_bytes())
    begin = int(len(content) * part) // 4096 * 4096
    content[begin : begin + 4096] = b"\xa5" * 4096
    left.write_bytes(content)
    spool = Spool(left.parent)
    spool.adopt()
    names = {one.ticket.foreign_id for one in drain(spool, 500) if isinstance(one.ticket, Ticket)}
    assert len(names) > 1_950
    assert [path.suffix for path in left.parent.iterdir()] == [".damaged"], "a person may try to read the rest"
    spool.close()


def test_a_file_that_cannot_be_opened_keeps_no_other_one_waiting(
    tmp_path: Path, left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("1-a.db", "9-z.db", "1-a.spool", "9-z.spool"):
        (tmp_path / name).mkdir()
    (tmp_path / "2-b.db").write_bytes(b"no database at all" * 99)
    (tmp_path / "3-c.db").write_bytes(left.read_bytes()[:6_000])
    (tmp_path / "4-d.db").touch()
    with sqlite3.connect(tmp_path / "5-e.db") as other:
        other.execute("CREATE TABLE something_else (id)")
    other.close()
    (tmp_path / "6-f.spool").symlink_to("nowhere")
    spool = Spool(tmp_path)
    for _ in range(2):
        spool.adopt()
    assert len(drain(spool, 500)) == 2_000
    assert len([line for line in caplog.messages if "cannot be read, and stay there" in line]) == 7
    spool.close()


def test_a_spool_whose_file_is_removed_or_damaged_begins_a_new_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([arrival("f1")])
    (file,) = tmp_path.glob("*.db")
    file.unlink()
    assert spool.append([arrival("f2")])
    other = Spool(tmp_path)
    other.adopt()
    assert other.callbacks == 0
    names = {one.ticket.foreign_id for one in drain(spool) if isinstance(one.ticket, Ticket)}
    assert names == {"f1", "f2"}, "what is in the removed file can still be read by who has it open"
    spool.close()


def test_a_full_spool_takes_nothing_until_it_is_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=5 * 4096, min_free_bytes=0)
    large = Arrival(Ticket("f1", 1), bytes(9_000))
    assert spool.append([large])
    assert not spool.append([large])
    assert "database or disk is full" in str(spool.problem)
    assert spool.append([arrival("f2")]), "there is room for a small one"
    assert drain(spool) == [large, arrival("f2")]
    assert spool.append([large])
    spool.check()
    assert spool.problem is None
    spool.close()


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path, min_free_bytes=1 << 60)
    spool.check()
    assert "MiB left for callbacks" in str(spool.problem)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_takes_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file")
    assert not spool.append([arrival("f1")])
    assert "could not be spooled" in str(spool.problem)
    (tmp_path / "file").unlink()
    spool.check()
    assert spool.problem is None
    spool.close()


class TestFilesOfVersion010:
    """A callback a line, as JSON: Base64 of the body, and what its token proved."""

    def line(self, *, body: bytes = b"{}", name: str = "f1") -> bytes:
        return json.dumps([base64.b64encode(body).decode(), name, 1]).encode() + b"\n"

    def test_they_are_taken_over(self, tmp_path: Path) -> None:
        (tmp_path / "1-dead.spool").write_bytes(self.line() + b'["e30="]\n' + self.line(body=bytes(65_536), name="f2"))
        spool = Spool(tmp_path)
        spool.adopt()
        assert list(tmp_path.glob("*.spool")) == []
        expected = [arrival("f1"), Arrival(None, b"{}"), Arrival(Ticket("f2", 1), bytes(65_536))]
        assert drain(spool) == expected
        spool.close()

    @pytest.mark.parametrize(
        "line", [b"", b"nonsense", b'["e3"]', b"{}", b"\xff", b"[" * 50_000], ids=lambda line: repr(line[:9])
    )
    def test_a_damaged_line_costs_itself_alone(self, tmp_path: Path, line: bytes) -> None:
        (tmp_path / "1-dead.spool").write_bytes(self.line() + line + b"\n" + self.line(name="f2"))
        spool = Spool(tmp_path)
        spool.adopt()
        assert drain(spool) == [arrival("f1"), Arrival(None, line), arrival("f2")]
        spool.close()

    def test_a_line_longer_than_any_callback_does_not_hide_those_behind_it(self, tmp_path: Path) -> None:
        (tmp_path / "1-dead.spool").write_bytes(b"\xa5" * (3 << 20) + b"\n" + self.line(name="f2") + b'["e30=", "half')
        spool = Spool(tmp_path)
        spool.adopt()
        assert arrival("f2") in drain(spool)
        spool.close()

    def test_one_whose_process_lives_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "1-old.spool"
        path.write_bytes(self.line())
        spool = Spool(tmp_path)
        with path.open("rb") as living:
            fcntl.flock(living, fcntl.LOCK_EX)
            spool.adopt()
            assert spool.callbacks == 0
        spool.adopt()
        assert drain(spool) == [arrival("f1")]
        spool.close()
