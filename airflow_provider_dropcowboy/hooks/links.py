"""Links from a task instance to the pages of this provider in the same Airflow."""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

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


def report_url(account: str, campaign: str) -> str:
    """Where the API server has the report of an account's campaign, both channels on one page."""
    from airflow.providers.common.compat.sdk import conf

    base_url = conf.get("api", "base_url", fallback="/").rstrip("/")
    return f"{base_url}/{REPORT_PREFIX}/campaign?{urlencode({'account': account, 'campaign': campaign})}"


_ATTRIBUTE: Final = "_dropcowboy_report_url"
