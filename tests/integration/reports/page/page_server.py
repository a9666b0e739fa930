"""The report page on a port of 127.0.0.1, and who visits it."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_dropcowboy.campaign.messages import Identity
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.reports.page.app import ReportPage
from tests.integration.serving import DEADLINE_S, Serving


@dataclass(slots=True)
class Visitor:
    """Somebody who may see some DAGs; None: all of them."""

    dag_ids: set[str] | None = None
    is_admin: bool = True
    asked: list[str] = field(default_factory=list)

    def may_see_dag(self, dag_id: str) -> bool:
        self.asked.append(dag_id)
        return self.dag_ids is None or dag_id in self.dag_ids

    def may_see_others(self) -> bool:
        return self.is_admin


class PageServer:
    """The page of a ledger in a thread of this process; a context manager. Whoever asks it is ``visitor``."""

    def __init__(self, find_ledger: Callable[[], Ledger]) -> None:
        self.visitor = Visitor()
        page = ReportPage(find_ledger, name_message=name_message)

        async def show(request: Request) -> Response:
            return await page.answer(request, request.path_params["path"], reader=self.visitor)

        app = Starlette(routes=[Route("/report/{path:path}", show, methods=["GET", "POST"])])
        self._serving = Serving(app, has_lifespan=False)
        self.url = f"{self._serving.url}/report"
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        self._serving.stop()

    def get(self, path: str, **query: str) -> requests.Response:
        """The answer."""
        return self._session.get(f"{self.url}/{path}", params=query, timeout=DEADLINE_S)

    def post(self, path: str, **fields: str) -> requests.Response:
        """The answer to a form."""
        return self._session.post(f"{self.url}/{path}", data=fields, timeout=DEADLINE_S)


def name_message(ledger: Ledger, campaign: Campaign, contact_key: str) -> tuple[str, ...]:
    """As a run names it."""
    identity = Identity(ledger.key, campaign.account, campaign.name, campaign.channel)
    return identity.names(contact_key)


def text_of(answer: requests.Response) -> str:
    """What a person reads, in one line."""
    body = re.sub("<style>.*?</style>", "", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", body)).split())
