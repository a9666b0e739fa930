"""What is spooled is on disk, whoever dies."""

import fcntl
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.spool import Spool

tickets = st.none() | st.builds(Ticket, st.text(alphabet="0123456789abcdef", min_size=1), st.integers(1, 999))
some = st.lists(st.builds(Arrival, tickets, st.binary(max_size=100)), min_size=1, max_size=5)


def drain(spool: Spool, limit: int = 3) -> list[Arrival]:
    """All that waits, oldest first; nothing waits afterwards."""
    drained: list[Arrival] = []
    while chunk := spool.read(limit):
        drained += chunk.arrivals
        spool.forget(chunk)
    return drained


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    assert list(tmp_path.rglob("*.spool")) == []


def arrival(name: str) -> Arrival:
    return Arrival(Ticket(name, 1), b"{}")


def test_only_its_owner_can_look_into_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([arrival("f1")])
    (file,) = (tmp_path / "spool").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    spool.close()


def test_the_file_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    living, other = Spool(tmp_path), Spool(tmp_path)
    living.append([arrival("f1")])
    other.adopt()
    assert other.callbacks == 0
    living.close()
    other.adopt()
    assert drain(other) == [arrival("f1")]
    assert list(tmp_path.iterdir()) == []
    other.close()


def test_what_a_kill_left_of_a_line_was_never_answered(tmp_path: Path) -> None:
    dead = Spool(tmp_path)
    dead.append([arrival("f1")])
    dead.close()
    (file,) = tmp_path.iterdir()
    with file.open("ab") as half:
        half.write(b'["e30=", "f2')
    spool = Spool(tmp_path)
    spool.adopt()
    assert drain(spool) == [arrival("f1")]
    spool.close()


@pytest.mark.parametrize("line", [b"", b"nonsense", b'["e3"]', b'["e30=", 1, 2, 3]', b"{}", b"\xff"])
def test_a_damaged_line_is_kept_as_it_is(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "1-dead.spool").write_bytes(line + b"\n")
    spool = Spool(tmp_path)
    spool.append([arrival("f1")])
    spool.adopt()
    assert drain(spool) == [Arrival(None, line), arrival("f1")]
    spool.close()


def test_a_full_spool_takes_nothing_until_it_is_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=100)
    assert spool.append([arrival("f1")])
    assert not spool.append([arrival(f"f{number}") for number in range(9)])
    assert spool.callbacks == 1
    assert drain(spool) == [arrival("f1")]
    assert spool.append([arrival("f2"), arrival("f3")])
    assert drain(spool) == [arrival("f2"), arrival("f3")]
    spool.close()


def test_a_full_disk_leaves_what_was_spooled_before(tmp_path: Path, mocker: MockerFixture) -> None:
    spool = Spool(tmp_path)
    assert spool.append([arrival("f1")])
    broken = mocker.patch("airflow_provider_dropcowboy.receiver.spool_file.os.fsync", side_effect=OSError(28, "full"))
    assert not spool.append([arrival("f2")])
    mocker.stop(broken)
    assert spool.append([arrival("f3")])
    assert drain(spool) == [arrival("f1"), arrival("f3")]
    spool.close()


def test_a_folder_that_cannot_be_written_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not Spool(tmp_path / "file").append([arrival("f1")])


def test_a_file_without_a_name_yet_is_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "1-new.new").touch()
    spool = Spool(tmp_path)
    spool.adopt()
    assert [file.name for file in tmp_path.iterdir()] == ["1-new.new"]


def test_a_file_that_somebody_removed_meanwhile_is_not_taken(tmp_path: Path, mocker: MockerFixture) -> None:
    path = tmp_path / "1-dead.spool"
    path.write_bytes(b'["e30="]\n')

    def lock_what_another_removes(descriptor: int, how: int) -> None:
        fcntl_flock(descriptor, how)
        path.unlink(missing_ok=True)

    fcntl_flock = fcntl.flock
    mocker.patch("airflow_provider_dropcowboy.receiver.spool.fcntl.flock", side_effect=lock_what_another_removes)
    spool = Spool(tmp_path)
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    spool.adopt()
    assert spool.callbacks == 0
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
