"""What Airflow discovers."""

import json
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.providers.common.compat.sdk import mask_secret, redact

import airflow_provider_dropcowboy
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.hooks.observability import SCHEME
from airflow_provider_dropcowboy.provider_info import get_provider_info

PACKAGE = Path(airflow_provider_dropcowboy.__file__).parent
INFO: dict[str, list[dict[str, object]]] = get_provider_info()  # type: ignore[assignment]  # JSON
CONNECTION = INFO["connection-types"][0]
FIELDS: dict[str, dict[str, dict[str, object]]] = CONNECTION["conn-fields"]  # type: ignore[assignment]  # JSON


def airflows(schema: str) -> Any:
    """A JSON schema that Airflow ships."""
    return json.loads(files("airflow").joinpath(schema).read_text())


@dataclass
class Connection:
    """A connection with this extra."""

    extra_dejson: dict[str, object]
    login: str | None = "team"
    password: str | None = "s3cret-of-the-team"
    host: str | None = None
    schema: str | None = None
    port: int | None = None


def test_airflow_finds_the_provider() -> None:
    found = entry_points(group="apache_airflow_provider", module="airflow_provider_dropcowboy.provider_info")
    assert [entry.load() for entry in found] == [get_provider_info]


def test_the_description_is_valid() -> None:
    jsonschema.validate(get_provider_info(), airflows("provider_info.schema.json"))


@pytest.mark.parametrize("kind", ["operators", "sensors", "triggers"])
def test_every_module_of_a_kind_is_named(kind: str) -> None:
    named = {module for entry in INFO[kind] for module in entry["python-modules"]}  # type: ignore[attr-defined]  # JSON
    files = (PACKAGE / kind).glob("[!_]*.py")
    assert named == {f"{PACKAGE.name}.{kind}.{path.stem}" for path in files}
    for module in named:
        import_module(module)


def test_links_notifiers_and_asset_handlers_are_where_they_are_said_to_be() -> None:
    (assets,) = INFO["asset-uris"]
    names: list[Any] = [*INFO["extra-links"], *INFO["notifications"]]
    names += [assets[key] for key in ("handler", "factory", "to_openlineage_converter")]
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(import_module(module), attribute))
    assert assets["schemes"] == [SCHEME]


def test_the_form_is_valid() -> None:
    jsonschema.validate(
        INFO["connection-types"], airflows("provider.yaml.schema.json")["properties"]["connection-types"]
    )


def test_the_connection_type_leads_to_the_hook() -> None:
    module, _, name = str(CONNECTION["hook-class-name"]).rpartition(".")
    assert getattr(import_module(module), name) is DropCowboyHook
    assert CONNECTION["connection-type"] == DropCowboyHook.conn_type
    assert CONNECTION["hook-name"] == DropCowboyHook.hook_name


def test_a_forms_defaults_are_the_settings_defaults() -> None:
    defaults = {name: field["schema"].get("default") for name, field in FIELDS.items()}
    assert ConnectionSettings.of(Connection(defaults)) == ConnectionSettings.of(Connection({}))


def test_the_form_has_every_setting_and_no_other() -> None:
    renamed = {"byoc": "byoc_secret", "retired_callback_secrets": "callback_secret_retired"}
    settings = set(ConnectionSettings.__dataclass_fields__)
    of_the_account = {"api_version", "site_id"}
    assert set(FIELDS) == {renamed.get(name, name) for name in settings} | of_the_account


def test_airflow_masks_the_secrets_of_the_extra_by_their_names() -> None:
    hidden: dict[str, Any] = {
        name: f"value-of-{name}-end" for name, field in FIELDS.items() if field["schema"].get("format") == "password"
    }
    assert set(hidden) == {"callback_secret", "callback_secret_retired", "byoc_secret", "webhook_secrets"}
    mask_secret(hidden)  # as Airflow does with the extra of every connection
    assert redact(" ".join(hidden.values())) == "*** *** *** ***"
    assert redact(hidden) == dict.fromkeys(hidden, "***")
