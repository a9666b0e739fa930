"""Airflow's own commands find the provider and all that it brings."""

import json
import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_dropcowboy.provider_info import PACKAGE

pytestmark = pytest.mark.airflow


def airflow(*words: str) -> Any:
    """What a command prints, as JSON."""
    ended = subprocess.run(
        [sys.executable, "-m", "airflow", *words, "--output", "json"], capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout[ended.stdout.index("[") :])


@pytest.mark.floor
def test_airflow_providers_get_shows_it() -> None:
    (shown,) = airflow("providers", "get", "airflow-provider-dropcowboy")
    assert shown["Provider"] == "airflow-provider-dropcowboy"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("hooks", f"{PACKAGE}.hooks.dropcowboy.DropCowboyHook"),
        ("links", f"{PACKAGE}.hooks.links.CampaignReportLink"),
        ("notifications", f"{PACKAGE}.notifications.dropcowboy.DropCowboyNotifier"),
        ("configs", "airflow-provider-dropcowboy"),
        ("triggers", f"{PACKAGE}.triggers.delivery"),
    ],
)
def test_airflow_lists_what_it_brings(command: str, name: str) -> None:
    assert name in json.dumps(airflow("providers", command))
