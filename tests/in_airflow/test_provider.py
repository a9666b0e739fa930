"""Airflow's own commands find the provider and all that it brings."""

import json
import re
import subprocess
import sys

import pytest

from airflow_provider_dropcowboy.provider_info import PACKAGE

pytestmark = pytest.mark.airflow


BRINGS = {
    "hooks": f"{PACKAGE}.hooks.dropcowboy.DropCowboyHook",
    "links": f"{PACKAGE}.hooks.observability.CampaignReportLink",
    "notifications": f"{PACKAGE}.notifications.dropcowboy.DropCowboyNotifier",
    "configs": "airflow-provider-dropcowboy",
    "triggers": f"{PACKAGE}.triggers.dropcowboy",
}
"""What each command of ``airflow providers`` lists of it."""

COMMANDS = """
import json, sys
from airflow.__main__ import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["airflow", "providers", *words, "--output", "json"]
    print("of", words[0])
    main()
"""
"""Several commands in one process, each as if typed: an Airflow takes seconds to start."""


@pytest.mark.floor
def test_airflow_knows_the_provider_and_lists_what_it_brings() -> None:
    commands = [["get", "airflow-provider-dropcowboy"], *([command] for command in BRINGS)]
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)], capture_output=True, text=True, check=True
    )
    printed = dict(part.split("\n", 1) for part in re.split("^of ", ended.stdout, flags=re.MULTILINE)[1:])
    (shown,) = json.loads(printed["get"][printed["get"].index("[") :])
    assert shown["Provider"] == "airflow-provider-dropcowboy"
    assert {command: name for command, name in BRINGS.items() if name in printed[command]} == BRINGS
