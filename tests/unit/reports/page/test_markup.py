"""No value of a row, a run or a campaign becomes markup, and nothing on a page runs or is loaded."""

import base64
import hashlib
import itertools
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.runs import TaskNote, TaskState
from airflow_provider_dropcowboy.ledger.syncs import PastSync
from airflow_provider_dropcowboy.reports.deliveries import Event, Life
from airflow_provider_dropcowboy.reports.page.campaign import Report
from airflow_provider_dropcowboy.reports.page.campaigns import CampaignList, Filter
from airflow_provider_dropcowboy.reports.page.html import HEADERS, draw, render
from airflow_provider_dropcowboy.reports.results import Outcomes, Progress
from airflow_provider_dropcowboy.reports.status import Listed, Phase, Run, Status
from airflow_provider_dropcowboy.states import State

AT = datetime(2026, 11, 24, 14, tzinfo=UTC)
COUNTS = Counter({State.DELIVERED: 7, State.UNKNOWN: 2, State.REJECTED: 1})

texts = st.one_of(
    st.text(min_size=1),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "'; DROP TABLE x; --",
            "</style><svg onload=alert(1)>",
            "{{ 7 * 7 }}",
            "{% raw %}",
            "javascript:alert(1)",
            "\x00\ud7ff",
        ]
    ),
)


class Structure(HTMLParser):
    """Tags with the names of their attributes, in their order; and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _value in attrs)))
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action", "formaction"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(text: str) -> dict[str, str]:
    """Every page, with a text in each place where one comes from outside."""
    listed = Listed(
        id=1, account=text, name=text, channel="rvm", counts=COUNTS, dag_id=text, last_run_at=AT,
        status=Status(phase=Phase.SENDING),
    )  # fmt: skip
    run = Run(
        dag_id=text, task_id=text, run_id=text, map_index=1, try_number=2, started_at=AT, ended_at=AT,
        counts={State.HELD: 3}, stop_reason=text, verdicts={State.HELD: {text: 3}},
        next_opening_at=AT, error=text, openings={AT: {text: 3}}, unreadable_suppressions=2,
    )  # fmt: skip
    reasons = Counter({(State.REJECTED, text): 1})
    report = Report(
        campaign=Campaign(1, text, text, Channel.RVM, "0" * 12, is_new=False),
        at=AT,
        outcomes=Outcomes(counts=COUNTS, reasons=reasons, cost_usd=Decimal("0.5"), costed=1),
        moments={AT + timedelta(hours=hour): COUNTS for hour in range(12)},
        runs=[run],
        pause=text,
    )
    event = Event(at=AT, event=text, state=text, attempt=1, by=text, reason=text)
    life = Life(
        foreign_id=text, phone_number=text, state=text, reason=text, attempt=1, drop_id=text, cost_usd=0.1,
        network=text, events=[event],
    )  # fmt: skip
    note = TaskNote(
        dag_id=text, run_id=text, task_id=text, map_index=None, state=TaskState.FAILED, message=text, account=text,
        campaign=text, min_final_share=0.9, noted_at=AT,
    )  # fmt: skip
    progress = Progress(campaign=text, is_begun=True, is_sending=False, counts=COUNTS)
    sync = PastSync(
        name=text, mode="mirror", started_at=AT, ended_at=AT, step=text, counts={"added": 1}, end_reason=text
    )

    def shown(template: str, **values: object) -> str:
        pace = {"refresh_s": 10, "is_sending": True, "is_live": True, "other_pace": "?live=0"}
        here = {"here": "campaigns", "fields": {"q": text}, "path": "campaigns"}
        return render(template, zone=UTC, **pace, **here, **values)

    whole, none = (
        CampaignList(items=items, wanted=Filter(search=text), number=2, total=60, silent=1, dag_ids=[text])
        for items in ([listed], [])
    )
    return {
        "list": shown("campaigns.html", listed=whole, kept={"q": text}),
        "empty list": shown("campaigns.html", listed=none, kept={"q": text}),
        "campaign": shown(
            "campaign.html", account=text, name=text, notes=[note],
            reports=[(report, draw(report.moments))],
        ),
        "run": shown(
            "run.html", found=[listed], dag_id=text, run_id=text, task_id=text, notes=[(note, progress)], syncs=[sync]
        ),
        "message": render("message.html", zone=UTC, account=text, name=text, lives=[("rvm", life)], problem=text),
        "problem": render("problem.html", zone=UTC, problem=text),
    }  # fmt: skip


PLAIN = {name: Structure(page) for name, page in pages("x").items()}


@given(texts)
def test_no_value_becomes_markup(text: str) -> None:
    for name, page in pages(text).items():
        assert Structure(page).tags == PLAIN[name].tags, name


def test_a_value_is_shown_as_it_is() -> None:
    for name, page in pages("<b>Tom & Jerry's</b>").items():
        assert "<b>Tom & Jerry's</b>" in Structure(page).text, name


def test_links_stay_below_the_page_whatever_a_campaign_is_called() -> None:
    for page in pages("javascript:alert(1)//evil.example/../..").values():
        for link in Structure(page).links:
            assert re.fullmatch(r"(campaigns|campaign|message|run)?(\?[^\s<>\"':/]*)?", link), link


def test_nothing_runs_and_nothing_is_loaded() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    for page in pages("x").values():
        (style,) = re.findall("<style>(.*?)</style>", page, flags=re.DOTALL)
        assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
        assert "url(" not in style
        for tag, attributes in Structure(page).tags:
            assert tag not in {"script", "link", "img", "iframe", "object", "base"}
            assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_a_page_can_be_read_aloud() -> None:
    for page in pages("x").values():
        assert '<html lang="en">' in page
        levels = [int(tag[1]) for tag, _ in Structure(page).tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
        drawings = re.findall("<svg[^>]*>", page)
        assert all('aria-hidden="true"' in drawing or "aria-labelledby=" in drawing for drawing in drawings)
        for field in re.findall(r'<(?:input|select) id="(\w+)"', page):
            assert f'<label for="{field}">' in page


def test_commands_can_be_pasted_into_a_shell() -> None:
    page = Structure(pages("O'Brien; rm -rf ~")["campaign"])
    quoted = """'O'"'"'Brien; rm -rf ~'"""
    assert f"dropcowboy unknown list {quoted} --account {quoted} --channel rvm" in page.text
