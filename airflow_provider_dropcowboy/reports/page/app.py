"""What the page answers: which path shows what, to whom."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo
from typing import Final
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.errors import ConfigurationError, LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import TaskNote, TaskState, read_notes
from airflow_provider_dropcowboy.ledger.syncs import syncs_of_run
from airflow_provider_dropcowboy.reports.deliveries import read_life
from airflow_provider_dropcowboy.reports.page import campaigns as lists
from airflow_provider_dropcowboy.reports.page.campaign import find_campaigns, read_reports
from airflow_provider_dropcowboy.reports.page.html import HEADERS, ICON, ZONES, draw, render
from airflow_provider_dropcowboy.reports.results import Progress, read_progress

REFRESH_S: Final = 10
MAX_BODY_BYTES: Final = 10_000
MAX_FIELD_CHARACTERS: Final = 2_000
"""Of one value in a query or form; a DAG id and a run id may each have 250, and a campaign is named after both."""

ZONE_COOKIE: Final = "dropcowboy_tz"

Fields = Mapping[str, str]
"""The query, and of the one form that is posted, its body."""

NameMessage = Callable[[Ledger, Campaign, str], Sequence[str]]
"""The foreign_ids that the message to a contact may have, by its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request: what is looked for, by whom.

    :param zone: of the reader.
    """

    method: str
    path: str
    fields: Fields
    reader: lists.Reader
    zone: tzinfo


class ReportPage:
    """The report of what a ledger holds, for a server that knows who its visitors are.

    :param find_ledger: opens it; called again until it succeeds.
    :param zone: of readers who chose none.
    """

    def __init__(self, find_ledger: Callable[[], Ledger], *, name_message: NameMessage, zone: tzinfo = UTC) -> None:
        self._find_ledger = find_ledger
        self._name_message = name_message
        self._zone = zone
        self._ledger: Ledger | None = None

    async def answer(self, request: Request, path: str, *, reader: lists.Reader) -> Response:
        """The page at a path below where this is mounted.

        :param reader: who is logged in.
        """
        if path == "icon.svg":
            return Response(ICON, media_type="image/svg+xml", headers=HEADERS)
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
        chosen = fields.pop("tz", None)
        zone_name = chosen or request.cookies.get(ZONE_COOKIE, "")
        zone = ZoneInfo(zone_name) if zone_name in ZONES else self._zone
        visit = Visit(method=request.method, path=path, fields=fields, reader=reader, zone=zone)
        answer = await asyncio.to_thread(self._answer, visit)
        if chosen is not None:
            answer.set_cookie(
                ZONE_COOKIE, chosen, path=request.url.path.rsplit("/", 1)[0], httponly=True, samesite="lax"
            )
        return answer

    def _answer(self, visit: Visit) -> Response:
        try:
            ledger = self._ledger = self._ledger or self._find_ledger()
            match visit.method, visit.path:
                case "GET", "campaigns" | "":
                    return _list(ledger, visit)
                case "GET", "campaign":
                    return _campaign(ledger, visit)
                case "GET", "run":
                    return _run(ledger, visit)
                case "POST", "message":
                    return self._message(ledger, visit)
                case _:
                    return _problem(404, "There is no such page.")
        except LedgerReplacedError:
            ledger.engine.dispose()
            self._ledger = None  # the file that is there now is opened by the next request
            return _problem(503, "The ledger's file was replaced. Load this page again to see the new one.")
        except (ConfigurationError, LedgerError) as error:  # their texts are ours, and hold no secret
            return _problem(503, str(error))

    def _message(self, ledger: Ledger, visit: Visit) -> Response:
        fields = visit.fields
        account, name = fields.get("account", ""), fields.get("campaign", "")
        campaigns = find_campaigns(ledger, visit.reader, account=account, name=name)
        if not campaigns:
            return _unknown_campaign()
        problem, lives = None, []
        try:
            key = canonical_key(fields.get("contact", ""))
        except ContactKeyError:
            problem = "That is no contact key."
        else:
            found = (
                (campaign.channel, read_life(ledger, name))
                for campaign in campaigns
                for name in self._name_message(ledger, campaign, key)
            )
            lives = [(channel, life) for channel, life in found if life is not None]
            if not lives:
                problem = (
                    "This campaign never sent a message to that contact key. The key is the value of key_column. "
                    "Without a key column, it is the phone number, as +15045550100."
                )
        shown = render("message.html", zone=visit.zone, account=account, name=name, lives=lives, problem=problem)
        return HTMLResponse(shown, headers=HEADERS)


def _list(ledger: Ledger, visit: Visit) -> Response:
    fields = visit.fields
    wanted = lists.Filter(
        search=fields.get("q", "").strip(),
        dag_id=fields.get("dag", ""),
        channel=fields.get("channel", ""),
        shown=lists.Shown(fields.get("show", "")),
        since=fields.get("since", ""),
        order=lists.Order(fields.get("sort", "")),
        zone=visit.zone,
    )
    listed = lists.read_campaigns(ledger, visit.reader, wanted=wanted, number=int(fields.get("page") or "1"))
    kept = {name: value for name, value in fields.items() if value and name not in {"page", "live"}}
    return _live(visit, is_sending=listed.is_sending, template="campaigns.html", listed=listed, kept=kept)


def _campaign(ledger: Ledger, visit: Visit, *, notes: Sequence[TaskNote] = ()) -> Response:
    account, name = visit.fields.get("account", ""), visit.fields.get("campaign", "")
    reports = read_reports(ledger, find_campaigns(ledger, visit.reader, account=account, name=name))
    if not reports:
        return _unknown_campaign()
    runs = [run for report in reports for run in report.runs]
    # what a run says of itself, or did since, the page says of the campaign
    notes = [
        note
        for note in notes
        if note.state is TaskState.FAILED
        and note.noted_at is not None
        and note.message not in {run.error for run in runs}
        and all(run.started_at < note.noted_at for run in runs)
    ]
    return _live(
        visit,
        is_sending=any(report.is_sending for report in reports),
        template="campaign.html",
        account=account,
        name=name,
        notes=notes,
        reports=[(report, draw(report.moments, step_s=report.step_s, zone=visit.zone)) for report in reports],
    )


def _run(ledger: Ledger, visit: Visit) -> Response:
    """The one campaign of a DAG run, or of one task of it; or those to choose from, and what its other tasks did."""
    fields = visit.fields
    dag_id = fields.get("dag_id", "")
    # where Airflow writes a run id into the address as it is, its + arrives as a space, which no run id has
    run_id = fields.get("run_id", "").replace(" ", "+")
    if not visit.reader.may_see_dag(dag_id):
        return _problem(404, "There is no such DAG, or you may not see it.")
    index = fields.get("map_index", "")  # of an unmapped task: empty, -1 or Airflow's placeholder
    task_id, map_index = fields.get("task_id"), int(index) if index.isdecimal() else None
    found = lists.read_run_campaigns(ledger, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    notes = read_notes(ledger, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    syncs = syncs_of_run(ledger, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    if len({(each.account, each.name) for each in found}) == 1 and not syncs:
        ours = {**fields, "account": found[0].account, "campaign": found[0].name}
        other = Visit(method="GET", path="campaign", fields=ours, reader=visit.reader, zone=visit.zone)
        return _campaign(ledger, other, notes=notes)
    watched = [(note, _progress(ledger, note)) for note in notes]
    is_waiting = any(note.state is TaskState.WAITING for note in notes)
    is_sending = is_waiting or any(each.is_sending for each in found) or any(sync.ended_at is None for sync in syncs)
    return _live(
        visit,
        is_sending=is_sending,
        template="run.html",
        found=found,
        notes=watched,
        syncs=syncs,
        dag_id=dag_id,
        run_id=run_id,
        task_id=task_id,
    )


def _progress(ledger: Ledger, note: TaskNote) -> Progress | None:
    """Of the campaign whose results a task waits for, or waited for."""
    if note.account is None or note.campaign is None or note.min_final_share is None:
        return None
    return read_progress(ledger, note.account, campaign=note.campaign)


def _live(visit: Visit, *, is_sending: bool, template: str, **values: object) -> Response:
    """A page that is loaded again while something goes on, until its reader wants it to stand still."""
    is_live = is_sending and visit.fields.get("live") != "0"
    pace = {
        "refresh_s": REFRESH_S,
        "is_sending": is_sending,
        "is_live": is_live,
        "other_pace": "?" + urlencode({**visit.fields, "live": "0" if is_live else "1"}),
        "here": f"{visit.path or 'campaigns'}?{urlencode(visit.fields)}",
        "fields": visit.fields,
        "path": visit.path or "campaigns",
    }
    # by a header, without a script; its reader can stop it by a link
    headers = {**HEADERS, "Refresh": str(REFRESH_S)} if is_live else HEADERS
    shown = render(template, zone=visit.zone, **pace, **values)
    return HTMLResponse(shown, headers=headers)


_SENSIBLE: Final[Mapping[str, str]] = {
    "page": r"([1-9][0-9]{0,8})?",  # what fits a column of the database
    "map_index": r"(-1|[0-9]{1,9}|\{MAP_INDEX\})?",
    "live": r"[01]?",
    "channel": r"(rvm|sms)?",
    "show": "|".join(lists.Shown),
    "sort": "|".join(lists.Order),
    "tz": "|".join(map(re.escape, ("", *ZONES))),
}


def _is_sensible(name: str, value: str) -> bool:
    """Whether a value may be looked up: of any other, a database says that it cannot even compare it."""
    if len(value) > MAX_FIELD_CHARACTERS or "\0" in value:
        return False
    if name == "since" and value:
        try:
            return date.fromisoformat(value).year > 1970  # the first year of a clock
        except ValueError:
            return False
    return name not in _SENSIBLE or re.fullmatch(_SENSIBLE[name], value) is not None


def _unknown_campaign() -> Response:
    return _problem(404, "There is no such campaign, or you may not see its DAG.")


def _problem(status: int, text: str) -> Response:
    shown = render("problem.html", zone=UTC, problem=text)
    return HTMLResponse(shown, status_code=status, headers=HEADERS)
