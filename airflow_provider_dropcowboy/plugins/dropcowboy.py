"""The plugin by which Airflow's API server shows the report page and receives the vendor's callbacks."""

import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_dropcowboy.hooks.observability import REPORT_PREFIX

if TYPE_CHECKING:
    from datetime import tzinfo

    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
    from fastapi import FastAPI
    from starlette.requests import Request

    from airflow_provider_dropcowboy.ledger.campaigns import Campaign
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.receiver.wiring import Wiring

URL_PREFIX: Final = "/dropcowboy"
SECTION: Final = "dropcowboy"

DEFAULT_CONN_ID: Final = "dropcowboy_default"

VIEWS: Final[list[dict[str, str]]] = [
    {
        "name": "Campaigns",
        "href": f"{REPORT_PREFIX}/campaigns",
        "icon": f"{REPORT_PREFIX}/icon.svg",
        "destination": "nav",
        "url_route": "dropcowboy",
    },
    {
        "name": "Campaign",
        "href": f"{REPORT_PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "dropcowboy-run",
    },
    {
        "name": "Campaign",
        "href": (
            f"{REPORT_PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}&task_id={{TASK_ID}}&map_index={{MAP_INDEX}}"
        ),
        "destination": "task_instance",
        "url_route": "dropcowboy-task",
    },
]
"""Where the page is found in Airflow's own: in the navigation, and beside a DAG run and a task instance."""

log = logging.getLogger(__name__)


class DropCowboyPlugin(AirflowPlugin):
    """Found by its entry point in every process of Airflow; only the API server asks it for apps."""

    name = "dropcowboy"

    @cached_property
    def external_views(self) -> list[dict[str, str]]:  # type: ignore[override]  # there a list, read as one
        """The report page in the navigation, and beside each DAG run and task instance."""
        return list(VIEWS)

    @cached_property
    def fastapi_apps(self) -> list[dict[str, object]]:  # type: ignore[override]  # there a list, read as one
        """The report page, and the receiver unless it is switched off or a package of its is missing."""
        report = {"app": _report_app(_conn_ids()), "url_prefix": f"/{REPORT_PREFIX}", "name": "Drop Cowboy report"}
        return [report, *_receiver_app()]


def _report_app(conn_ids: Iterable[str]) -> "FastAPI":
    """The page as an app for the API server.

    :param conn_ids: the first of these connections that there is names the ledger.
    """
    from airflow.api_fastapi.core_api.security import GetUserDep
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.exception_handlers import http_exception_handler
    from starlette.responses import RedirectResponse, Response

    from airflow_provider_dropcowboy.campaign.messages import Identity
    from airflow_provider_dropcowboy.reports.page.app import ReportPage

    def name_message(ledger: "Ledger", campaign: "Campaign", contact_key: str) -> tuple[str, ...]:
        return Identity.of(ledger.key, campaign).names(contact_key)

    names = tuple(conn_ids) or (DEFAULT_CONN_ID,)
    page = ReportPage(lambda: _open_ledger(names), name_message=name_message, zone=_zone())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def show(path: str, request: Request, user: GetUserDep) -> Response:
        return await page.answer(request, path, reader=_Visitor(request, user))

    @app.exception_handler(HTTPException)
    async def send_to_login(request: Request, error: HTTPException) -> Response:
        """A person is led to the login and back; a program gets 401."""
        if error.status_code == 401 and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(_login_url(request), status_code=303)
        return await http_exception_handler(request, error)

    return app


class _Visitor:
    """A person who is logged in to Airflow."""

    def __init__(self, request: "Request", user: "BaseUser") -> None:
        self._request = request
        self._user = user

    def may_see_dag(self, dag_id: str) -> bool:
        """As Airflow says of the DAG's runs."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
        from airflow.api_fastapi.core_api.security import requires_access_dag

        return self._may(requires_access_dag("GET", DagAccessEntity.RUN, dag_id))

    def may_see_others(self) -> bool:
        """Campaigns of the command line belong to no DAG: who may see Airflow's plugins sees them."""
        from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
        from airflow.api_fastapi.core_api.security import requires_access_view

        return self._may(requires_access_view(AccessView.PLUGINS))

    def _may(self, check: "Callable[[Request, BaseUser], None]") -> bool:
        from fastapi import HTTPException

        try:
            check(self._request, self._user)
        except HTTPException:
            return False
        return True


def _open_ledger(conn_ids: Iterable[str]) -> "Ledger":
    """The ledger of the first connection that there is; without one, that which needs no connection."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from airflow.sdk import BaseHook

    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url
    from airflow_provider_dropcowboy.ledger.database import open_ledger

    for conn_id in conn_ids:
        try:
            connection = BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            continue
        return open_ledger(ledger_url(ConnectionSettings.of(connection)))
    return open_ledger(ledger_url(None))


def _zone() -> "tzinfo":
    """As Airflow's own pages begin with."""
    from airflow.settings import TIMEZONE

    zone: tzinfo = TIMEZONE
    return zone


def _login_url(request: "Request") -> str:
    """Airflow's login, which comes back here."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.configuration import conf

    root = urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")
    here = f"{root}/{REPORT_PREFIX}/{request.path_params['path']}"
    if request.url.query:
        here += f"?{request.url.query}"
    return f"{get_auth_manager().get_url_login()}?{urlencode({'next': here})}"


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
