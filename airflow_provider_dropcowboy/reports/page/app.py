"""What the page answers: which path shows what, to whom."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.errors import ConfigurationError, LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.reports.life import read_life
from airflow_provider_dropcowboy.reports.page.campaign import read_reports
from airflow_provider_dropcowboy.reports.page.campaigns import read_campaigns, read_run_campaigns
from airflow_provider_dropcowboy.reports.page.chart import ORDER, draw
from airflow_provider_dropcowboy.reports.page.html import HEADERS, render
from airflow_provider_dropcowboy.reports.page.sight import Reader

REFRESH_S: Final = 10
MAX_BODY_BYTES: Final = 10_000
MAX_FIELD_CHARACTERS: Final = 2_000
"""Of one value in a query or form; a DAG id and a run id may each have 250, and a campaign is named after both."""

Fields = Mapping[str, str]
"""What was asked: the query, and of the one form that is posted, its body."""

NameMessage = Callable[[Ledger, Campaign, str], Sequence[str]]
"""The foreign_ids that the message to a contact may have, by its key."""


class ReportPage:
    """The report of what a ledger holds, for a server that knows who its visitors are.

    :param find_ledger: opens it; called again until it succeeds.
    """

    def __init__(self, find_ledger: Callable[[], Ledger], *, name_message: NameMessage) -> None:
        self._find_ledger = find_ledger
        self._name_message = name_message
        self._ledger: Ledger | None = None

    async def answer(self, request: Request, path: str, *, reader: Reader) -> Response:
        """The page at a path below where this is mounted.

        :param reader: who asks, and is logged in.
        """
        fields = dict(request.query_params)
        if request.method == "POST":
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _problem(413, "That form is too large.")
            # by the form, and not by the address: that is written into logs, and a contact key may be a person's
            fields |= parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        for name, value in fields.items():
            if not _is_sensible(name, value):
                return _problem(400, f"There is no such {name[:40]}.")
        return await asyncio.to_thread(self._answer, request.method, path, fields, reader)

    def _answer(self, method: str, path: str, fields: Fields, reader: Reader) -> Response:
        try:
            ledger = self._ledger = self._ledger or self._find_ledger()
            match method, path:
                case "GET", "campaigns" | "":
                    return _list(ledger, reader, fields)
                case "GET", "campaign":
                    return _campaign(ledger, reader, fields)
                case "GET", "run":
                    return _run(ledger, reader, fields)
                case "POST", "message":
                    return self._message(ledger, reader, fields)
                case _:
                    return _problem(404, "There is no such page.")
        except LedgerReplacedError:
            ledger.engine.dispose()
            self._ledger = None  # the file that is there now is opened by the next request
            return _problem(503, "The ledger's file was replaced. Load this page again to see the one that is there.")
        except (ConfigurationError, LedgerError) as error:  # their texts are ours, and hold no secret
            return _problem(503, str(error))

    def _message(self, ledger: Ledger, reader: Reader, fields: Fields) -> Response:
        account, name = fields.get("account", ""), fields.get("campaign", "")
        reports = read_reports(ledger, reader, account=account, name=name)
        if not reports:
            return _unknown_campaign()
        problem, lives = None, []
        try:
            key = canonical_key(fields.get("contact", ""))
        except ContactKeyError:
            problem = "That is no contact key."
        else:
            found = (
                (report.campaign.channel, read_life(ledger, name))
                for report in reports
                for name in self._name_message(ledger, report.campaign, key)
            )
            lives = [(channel, life) for channel, life in found if life is not None]
            if not lives:
                problem = (
                    "Nobody with that contact key was ever asked for in this campaign. The key is what key_column "
                    "holds, or the number as +15045550100 where there is none."
                )
        shown = render("message.html", account=account, name=name, lives=lives, problem=problem)
        return HTMLResponse(shown, headers=HEADERS)


def _list(ledger: Ledger, reader: Reader, fields: Fields) -> Response:
    number = int(fields.get("page") or "1")
    listed = read_campaigns(ledger, reader, search=fields.get("q", "").strip(), number=number)
    return _live(fields, is_sending=listed.is_sending, template="campaigns.html", listed=listed)


def _campaign(ledger: Ledger, reader: Reader, fields: Fields) -> Response:
    account, name = fields.get("account", ""), fields.get("campaign", "")
    reports = read_reports(ledger, reader, account=account, name=name)
    if not reports:
        return _unknown_campaign()
    return _live(
        fields,
        is_sending=any(report.is_sending for report in reports),
        template="campaign.html",
        account=account,
        name=name,
        reports=[(report, draw(report.hours)) for report in reports],
    )


def _run(ledger: Ledger, reader: Reader, fields: Fields) -> Response:
    """The one campaign of a DAG run, or of one task of it; or those to choose from."""
    dag_id = fields.get("dag_id", "")
    # where Airflow writes a run id into the address as it is, its + arrives as a space, which no run id has
    run_id = fields.get("run_id", "").replace(" ", "+")
    if not reader.may_see_dag(dag_id):
        return _problem(404, "There is no such DAG, or you may not see it.")
    map_index = fields.get("map_index", "")  # of an unmapped task: empty, -1 or Airflow's placeholder
    found = read_run_campaigns(
        ledger,
        dag_id=dag_id,
        run_id=run_id,
        task_id=fields.get("task_id"),
        map_index=int(map_index) if map_index.isdecimal() else None,
    )
    if len({(each.account, each.name) for each in found}) == 1:
        return _campaign(ledger, reader, {**fields, "account": found[0].account, "campaign": found[0].name})
    is_sending = any(each.is_sending for each in found)
    return _live(fields, is_sending=is_sending, template="run.html", found=found, dag_id=dag_id, run_id=run_id)


def _live(fields: Fields, *, is_sending: bool, template: str, **values: object) -> Response:
    """A page that is loaded again while something goes on, until its reader wants it to stand still."""
    is_live = is_sending and fields.get("live") != "0"
    pace = {
        "refresh_s": REFRESH_S,
        "is_sending": is_sending,
        "is_live": is_live,
        "other_pace": "?" + urlencode({**fields, "live": "0" if is_live else "1"}),
    }
    # by a header, without a script; its reader can stop it by a link
    headers = {**HEADERS, "Refresh": str(REFRESH_S)} if is_live else HEADERS
    return HTMLResponse(render(template, order=ORDER, **pace, **values), headers=headers)


_SENSIBLE: Final[Mapping[str, str]] = {
    "page": r"([1-9][0-9]{0,8})?",  # what fits a column of the database
    "map_index": r"(-1|[0-9]{1,9}|\{MAP_INDEX\})?",
    "live": r"[01]?",
}


def _is_sensible(name: str, value: str) -> bool:
    """Whether a value may be looked up: of any other, a database says that it cannot even compare it."""
    if len(value) > MAX_FIELD_CHARACTERS or "\0" in value:
        return False
    return name not in _SENSIBLE or re.fullmatch(_SENSIBLE[name], value) is not None


def _unknown_campaign() -> Response:
    return _problem(404, "There is no such campaign, or you may not see its DAG.")


def _problem(status: int, text: str) -> Response:
    return HTMLResponse(render("problem.html", problem=text), status_code=status, headers=HEADERS)
