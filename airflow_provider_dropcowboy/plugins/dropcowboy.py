"""The plugin by which Airflow's API server shows the report page and receives the vendor's callbacks."""

import logging
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_dropcowboy.receiver.wiring import Wiring

URL_PREFIX: Final = "/dropcowboy"
SECTION: Final = "dropcowboy"

log = logging.getLogger(__name__)


class DropCowboyPlugin(AirflowPlugin):
    """Found by its entry point in every process of Airflow; only the API server asks it for apps."""

    name = "dropcowboy"

    @cached_property
    def external_views(self) -> list[dict[str, str]]:  # type: ignore[override]  # there a list, read as one
        """The report page in the navigation, and beside each DAG run and task instance."""
        from airflow_provider_dropcowboy.plugins._report_page import VIEWS

        return list(VIEWS)

    @cached_property
    def fastapi_apps(self) -> list[dict[str, object]]:  # type: ignore[override]  # there a list, read as one
        """The report page, and the receiver unless it is switched off or a package of its is missing."""
        return [_report_app(), *_receiver_app()]


def _report_app() -> dict[str, object]:
    from airflow_provider_dropcowboy.hooks.links import REPORT_PREFIX
    from airflow_provider_dropcowboy.plugins._report_page import report_app

    return {"app": report_app(_conn_ids()), "url_prefix": f"/{REPORT_PREFIX}", "name": "Drop Cowboy report"}


def _receiver_app() -> list[dict[str, object]]:
    from airflow.configuration import conf

    if not _conn_ids():
        return []
    if find_spec("prometheus_client") is None:
        log.warning(
            "Drop Cowboy callbacks are not received here: pip install 'airflow-provider-dropcowboy[receiver]', or "
            "leave [dropcowboy] receiver_conn_ids empty."
        )
        return []
    from fastapi import FastAPI

    from airflow_provider_dropcowboy.receiver.app import Receiver
    from airflow_provider_dropcowboy.receiver.spool import default_folder

    receiver = Receiver(
        find_wiring,
        spool_folder=default_folder(),
        takes_unsigned=conf.getboolean(SECTION, "receiver_webhook", fallback=False),
        may_see=_is_logged_in,
    )
    app = FastAPI(  # a Starlette would be mounted too, but Airflow begins the lifespan of no other kind
        routes=receiver.routes,
        lifespan=receiver.lifespan,
        docs_url=None,  # Airflow asks nobody for a login here
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    return [{"app": app, "url_prefix": URL_PREFIX, "name": "Drop Cowboy callbacks"}]


async def _is_logged_in(request: "Request") -> bool:
    """Whether Airflow knows who asks, by its cookie or its token."""
    from airflow.api_fastapi.core_api.security import bearer_scheme, get_user

    try:
        await get_user(request, None, await bearer_scheme(request))
    except Exception:  # noqa: BLE001  # whatever Airflow says but yes, is no
        return False
    return True


def find_wiring() -> "Wiring":
    """What the connections of ``[dropcowboy] receiver_conn_ids`` say.

    :raises ConfigurationError: none of them can be used, or they have different ledgers.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from airflow.sdk import BaseHook

    from airflow_provider_dropcowboy.errors import ConfigurationError
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url
    from airflow_provider_dropcowboy.receiver.wiring import Connected, wire

    found: list[Connected] = []
    problems: list[str] = []
    for conn_id in _conn_ids():
        try:
            settings = ConnectionSettings.of(BaseHook.get_connection(conn_id))
            secrets, account = settings.callback_secrets(), settings.account.name
            found.append(Connected(conn_id, secrets, ledger_url(settings), account, settings.webhook_secrets))
        except AirflowNotFoundException:
            problems.append(f"There is no connection {conn_id!r}, or none with its ledger_conn_id.")
        except ConfigurationError as error:
            problems.append(f"Connection {conn_id!r}: {error}")
    return wire(found, problems)


def _conn_ids() -> list[str]:
    from airflow.configuration import conf

    written: str = conf.get(SECTION, "receiver_conn_ids", fallback="")
    return [conn_id.strip() for conn_id in written.split(",") if conn_id.strip()]
