"""Where a task finds its ledger."""

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.ledger import ledger_url

SPREADING = ["CeleryExecutor", "KubernetesExecutor", "LocalExecutor,CeleryExecutor"]


@pytest.mark.parametrize("executor", SPREADING)
def test_a_file_is_no_ledger_for_tasks_that_may_run_on_another_machine(
    monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    monkeypatch.delenv("DROPCOWBOY_LEDGER_URL", raising=False)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    monkeypatch.delenv("AIRFLOW__CORE__UNIT_TEST_MODE", raising=False)
    monkeypatch.setenv("AIRFLOW__DROPCOWBOY__LEDGER_CONN_ID", "")
    with pytest.raises(ConfigurationError, match=rf"{executor} may run the next try on another one"):
        ledger_url(None)
