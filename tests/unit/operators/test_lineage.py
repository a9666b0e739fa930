"""Lineage is an extra: nothing depends on its provider."""

import sys

import pytest

from airflow_provider_dropcowboy.campaign.channels import RvmArguments
from airflow_provider_dropcowboy.hooks.observability import export_lineage, lineage_of, series_of


@pytest.mark.parametrize(
    "missing", ["airflow.providers.openlineage.extractors", "airflow.providers.common.compat.openlineage.facet"]
)
def test_without_openlineage_nothing_is_told_and_nothing_fails(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    source = RvmArguments(path="s3://bucket/people.csv", brand_id="b", recording_id="r")
    assert lineage_of(source, team_id="team", kind="campaigns", name="spring") is None
    assert export_lineage("team", "spring", table=None, table_conn_id=None, path="s3://bucket/out.csv") is None


def test_a_file_is_named_by_its_bucket_and_key() -> None:
    source = RvmArguments(path="s3://bucket/a/people.csv", brand_id="b", recording_id="r")
    lineage = lineage_of(source, team_id="team", kind="campaigns", name="spring")
    assert lineage is not None
    assert [(file.namespace, file.name) for file in lineage.inputs] == [("s3://bucket", "a/people.csv")]


def test_a_campaign_named_by_its_date_is_one_series() -> None:
    assert series_of("daily.send@2026-11-24T00:00:00Z", is_default_name=True) == "daily.send"
    assert series_of("spring@home", is_default_name=False) == "spring@home"
