"""Links from a task instance to the pages of this provider in the same Airflow."""

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

log = logging.getLogger(__name__)

REPORT_PREFIX: Final = "dropcowboy-report"
"""Of the report page in the API server: not below the receiver's, which is open to the vendor."""


class CampaignReportLink(BaseOperatorLink):
    """To the report of the campaign that the task sends, waits for or exports.

    The link is there from the moment the task knows its campaign, and stays when the task fails.
    """

    name = "Campaign report"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002  # Airflow's
        """What ``show_report`` found; Airflow asks on the worker, when the task has ended, and keeps it as an XCom."""
        link: str = getattr(operator, _ATTRIBUTE, "")
        return link


def show_report(task: "BaseOperator", context: "Context", *, account: str, campaign: str) -> None:
    """The task instance links to the campaign's report, from now on and when the task has ended."""
    url = report_url(account, campaign)
    if getattr(task, _ATTRIBUTE, "") == url:  # a sensor looks many times
        return
    setattr(task, _ATTRIBUTE, url)
    context["ti"].xcom_push(CampaignReportLink().xcom_key, url)


def keep_note(context: "Context", conn_id: str, *, state: str, **said: str | float | None) -> None:
    """The ledger keeps what the task instance came to, for its page; without a ledger that answers, nobody does.

    :param state: of ``TaskState``.
    :param said: ``message``, ``account``, ``campaign``, and ``min_final_share`` of ``TaskNote``.
    """
    from airflow_provider_dropcowboy.errors import DropCowboyError
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url
    from airflow_provider_dropcowboy.ledger.database import find_ledger
    from airflow_provider_dropcowboy.ledger.tasks import TaskNote, TaskState, note_task

    ti = context["ti"]
    try:
        try:
            settings = DropCowboyHook(conn_id).settings
        except Exception:  # noqa: BLE001  # Airflow's own errors too: the connection may be what is wrong
            settings = None
        ledger = find_ledger(ledger_url(settings))
        if ledger is None:
            return
        map_index = ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
        note = TaskNote(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=map_index,
            state=TaskState(state),
            **said,  # type: ignore[arg-type]  # each as the note has it
        )
        note_task(ledger, note)
        ledger.engine.dispose()
    except DropCowboyError as error:
        log.warning("The report page will not say how this task ended: %s", error)


def report_url(account: str, campaign: str) -> str:
    """Where the API server has the report of an account's campaign, both channels on one page."""
    from airflow.providers.common.compat.sdk import conf

    base_url = conf.get("api", "base_url", fallback="/").rstrip("/")
    return f"{base_url}/{REPORT_PREFIX}/campaign?{urlencode({'account': account, 'campaign': campaign})}"


_ATTRIBUTE: Final = "_dropcowboy_report_url"
