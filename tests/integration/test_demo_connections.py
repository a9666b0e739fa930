"""The demos' connections: the same DAGs send by either version of the API."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.transport.client import Client
from dags.demo.playground import Playground
from tests.sandbox_process import SandboxProcess


def settings_of(fields: dict[str, Any]) -> ConnectionSettings:
    """What the hook reads in a connection."""
    names = ("login", "password", "schema", "host", "port")
    connection = SimpleNamespace(**{name: fields[name] for name in names}, extra_dejson=fields["extra"])
    return ConnectionSettings.of(connection)


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_demo_may_send_by_its_version_of_the_api(api: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    connections = Playground(tmp_path, api=api).connections(sandbox, receiver_url="http://127.0.0.1:9")
    settings = settings_of(connections["dropcowboy_default"])
    account = settings.account
    assert (account.api_version, account.base_url) == (api, sandbox.base_url if api == "v1" else sandbox.v2_url)
    with Client(account, timeout_s=settings.timeout_s) as client:
        assert client.ask(vendor_of(account).access(settings.default_brand_id)).is_ready


def test_the_two_demos_differ_in_one_connection_alone(sandbox: SandboxProcess, tmp_path: Path) -> None:
    v1, v2 = (
        Playground(tmp_path, api=api).connections(sandbox, receiver_url="http://127.0.0.1:9") for api in ("v1", "v2")
    )
    assert {name for name in v1 if v1[name] != v2[name]} == {"dropcowboy_default"}
