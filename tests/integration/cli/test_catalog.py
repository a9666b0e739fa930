"""``dropcowboy brands``, ``recordings``, ``media``, ``pools``."""

import pytest

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, RECORDING_ID
from tests.integration.cli.program import Program


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
