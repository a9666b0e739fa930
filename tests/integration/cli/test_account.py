"""``dropcowboy brands``, ``recordings``, ``media``, ``pools``."""

from pathlib import Path

import pytest

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, RECORDING_ID
from tests.integration.cli.program import Program
from tests.sandbox_process import SandboxProcess


@pytest.mark.parametrize(
    ("command", "name", "value"), [("media", "media_id", RECORDING_ID), ("pools", "pool_id", POOL_ID)]
)
def test_what_the_account_may_send_with_is_listed_as_json(
    program: Program, command: str, name: str, value: str
) -> None:
    ended = program.run(command, "--json")
    assert ended.code == 0
    assert value in [row[name] for row in ended.json]


@pytest.mark.parametrize(("command", "value"), [("brands", BRAND_ID), ("recordings", RECORDING_ID)])
def test_ids_stand_whole_in_a_table_of_eighty_columns(program: Program, command: str, value: str) -> None:
    ended = program.run(command)
    assert ended.code == 0
    assert value in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_a_file_is_uploaded_and_its_id_printed(program: Program, sandbox: SandboxProcess, tmp_path: Path) -> None:
    program.connection |= {"login": sandbox.key, "host": sandbox.v2_url, "extra": {"api_version": "v2"}}
    file = tmp_path / "hello.mp3"
    file.write_bytes(b"\xff\xfb and music")
    ended = program.run("media", "upload", str(file), "--name", "Hello")
    assert ended.code == 0, ended.stderr
    listed = program.run("media", "--json").json
    assert [row["name"] for row in listed if row["media_id"] == ended.stdout.strip()] == ["Hello"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("hello.ogg", b"OggS", "hello.ogg is neither .mp3 nor .wav"),
        ("hello.mp3", b"", "hello.mp3 is empty"),
        ("hello.mp3", b"<html>", "hello.mp3 does not begin like a mp3 file"),
        ("hello.wav", None, "hello.wav cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_audio_is_refused_before_anything_is_asked(
    program: Program, sandbox: SandboxProcess, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    program.connection |= {"login": sandbox.key, "host": sandbox.v2_url, "extra": {"api_version": "v2"}}
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = program.run("media", "upload", str(tmp_path / name))
    assert (ended.code, said in ended.stderr) == (2, True)
    assert sandbox.stats()["requests"] == {}


def test_an_upload_on_v1_says_where_to_upload(program: Program) -> None:
    ended = program.run("media", "upload", __file__)
    assert (ended.code, "API v1 has no uploads" in ended.stderr) == (2, True)
    assert "`dropcowboy recordings` then lists its ID" in ended.stderr
