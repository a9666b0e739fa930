"""What Airflow discovers: the connection type with its form, the configuration, and where the classes are."""

from typing import Final

PACKAGE: Final = "airflow_provider_dropcowboy"
NAME: Final = "Drop Cowboy"
SCHEME: Final = "dropcowboy"
"""Of its assets' URIs."""


def get_provider_info() -> dict[str, object]:
    """The provider's description, valid against Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-dropcowboy",
        "name": NAME,
        "description": (
            "Ringless voicemails and texts from warehouse tables through the "
            "`Drop Cowboy <https://www.dropcowboy.com/>`__ API, safe to run again."
        ),
        "integrations": [
            {"integration-name": NAME, "external-doc-url": "https://www.dropcowboy.com/", "tags": ["service"]},
        ],
        "operators": _modules("operators.rvm", "operators.sms", "operators.contact_list", "operators.deliveries"),
        "sensors": _modules("sensors.delivery", "sensors.contact_list"),
        "hooks": _modules("hooks.dropcowboy"),
        "triggers": _modules("triggers.dropcowboy"),
        "connection-types": [
            {
                "connection-type": "dropcowboy",
                "hook-class-name": f"{PACKAGE}.hooks.dropcowboy.DropCowboyHook",
                "hook-name": NAME,
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": {"login": "Team ID", "password": "Secret"},
                    "placeholders": {
                        "login": "team id from the Drop Cowboy API settings",
                        "host": "empty: https://api.dropcowboy.com/v1",
                        "schema": "https",
                    },
                },
                "conn-fields": _CONNECTION_FIELDS,
            },
        ],
        "asset-uris": [
            {
                "schemes": [SCHEME],
                "handler": f"{PACKAGE}.hooks.observability.sanitize_uri",
                "factory": f"{PACKAGE}.hooks.observability.create_asset",
                "to_openlineage_converter": f"{PACKAGE}.hooks.observability.convert_asset_to_openlineage",
            },
        ],
        "extra-links": [f"{PACKAGE}.hooks.observability.CampaignReportLink"],
        "notifications": [f"{PACKAGE}.notifications.dropcowboy.DropCowboyNotifier"],
        "config": _CONFIG,
    }


def _modules(*names: str) -> list[dict[str, object]]:
    return [{"integration-name": NAME, "python-modules": [f"{PACKAGE}.{name}" for name in names]}]


def _field(label: str, description: str, **schema: object) -> dict[str, object]:
    return {"label": label, "description": description, "schema": schema}


def _option(description: str, *, kind: str = "string", example: str | None, default: str) -> dict[str, object]:
    said = {"description": description, "version_added": "0.1.0", "type": kind}
    return {**said, "example": example, "default": default}


_TEXT: Final = ["string", "null"]
_NUMBER: Final = ["number", "null"]

# Airflow masks a field of the extra by its name alone: what holds a credential has "secret" in its name.
_CONNECTION_FIELDS: Final[dict[str, object]] = {
    "api_version": _field(
        "API version",
        "v1 (team id and secret) or v2 (key and its secret, as login and password).",
        type=_TEXT,
        enum=["v1", "v2", None],
        default="v1",
    ),
    "callback_url": _field(
        "Callback URL",
        "Public base URL of the receiver, such as https://hooks.example.com. Without it no result is ever known.",
        type=_TEXT,
    ),
    "account_webhook": _field(
        "Account webhook",
        "true: the account's own webhook, set at Drop Cowboy, posts to the receiver's /webhook.",
        type=_TEXT,
        default="false",
    ),
    "callback_secret": _field(
        "Callback secret",
        "Signs the callback URLs, so that nobody else can report a result. At least 16 characters; "
        "`openssl rand -hex 32` makes a good one.",
        type=_TEXT,
        format="password",
    ),
    "callback_secret_retired": _field(
        "Retired callback secrets",
        "Callback secrets used before, separated by spaces: what was sent under them may still be answered.",
        type=_TEXT,
        format="password",
    ),
    "webhook_secrets": _field(
        "Webhook secrets",
        "API v2: signing secrets of webhooks that were made in the dashboard, separated by spaces.",
        type=_TEXT,
        format="password",
    ),
    "site_id": _field(
        "Site ID",
        "API v2: ID of the site in the dashboard whose token opens the contacts. The key needs scope numbers:write.",
        type=_TEXT,
    ),
    "default_brand_id": _field(
        "Default brand id", "Used where a task names no brand_id; `dropcowboy brands` lists them.", type=_TEXT
    ),
    "default_pool_id": _field(
        "Default pool id", "Used where a task names no pool_id; `dropcowboy pools` lists them.", type=_TEXT
    ),
    "max_concurrency": _field(
        "Connections at once",
        "Over all runs that share the ledger. Drop Cowboy asks for fewer than 100.",
        type=["integer", "null"],
        default=90,
        minimum=1,
        maximum=99,
    ),
    "price_rvm_usd": _field(
        "Price of a voicemail (USD)", "For budgets; what a send really cost comes with its callback.", type=_NUMBER
    ),
    "price_sms_usd": _field(
        "Price of a text (USD)", "For budgets; what a send really cost comes with its callback.", type=_NUMBER
    ),
    "byoc_secret": _field(
        "Own carrier (byoc)",
        "The JSON object that Drop Cowboy calls byoc, with your carrier's credentials. Sent with voicemails.",
        type=_TEXT,
        format="password",
    ),
    "timeout_s": _field(
        "Timeout (seconds)",
        "For the connection and for each wait on the answer.",
        type=_NUMBER,
        default=30,
        exclusiveMinimum=0,
    ),
    "verify": _field(
        "Verify TLS", "true, false, or the path of a CA bundle on the workers.", type=_TEXT, default="true"
    ),
    "account": _field(
        "Account name in the ledger",
        "Under which name the ledger remembers who was contacted. Default: team id @ host. Set it before you move to "
        "another host, to the name that `dropcowboy doctor` shows, so that nobody is contacted again.",
        type=_TEXT,
    ),
    "ledger_conn_id": _field(
        "Ledger connection id",
        "Airflow connection of the database that keeps what was sent; PostgreSQL for more than one worker machine.",
        type=_TEXT,
    ),
}

_CONFIG: Final[dict[str, object]] = {
    "dropcowboy": {
        "description": "Where the Drop Cowboy provider keeps what was sent, and whose results it receives.",
        "options": {
            "ledger_conn_id": _option(
                "Airflow connection of the ledger's database, for all Drop Cowboy connections that name none "
                "themselves. Empty: DROPCOWBOY_LEDGER_URL, or one SQLite file under AIRFLOW_HOME.",
                example="dropcowboy_ledger",
                default="",
            ),
            "calling_hours_rules": _option(
                "Path of a TOML file that replaces or extends the calling hours this package ships, on every "
                "machine that sends. Empty: as they are shipped.",
                example="/etc/airflow/calling-hours.toml",
                default="",
            ),
            "receiver_conn_ids": _option(
                "Connections whose callbacks the API server receives under /dropcowboy, separated by commas; all "
                "of them have one ledger. Empty: it receives none, `dropcowboy receiver` does.",
                example="dropcowboy_default,dropcowboy_eu",
                default="dropcowboy_default",
            ),
            "receiver_webhook": _option(
                "Whether the API server also takes the account-wide webhook, under /dropcowboy/webhook. Its "
                "callbacks are not signed: let nobody but the vendor reach that route.",
                kind="boolean",
                example=None,
                default="False",
            ),
        },
    },
}
