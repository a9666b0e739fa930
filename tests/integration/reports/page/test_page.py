"""The report page over HTTP, on both databases: its numbers are the ledger's, and nobody sees too much."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.counts import MAX_READ
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.limits import pause_campaign
from airflow_provider_dropcowboy.ledger.runs import TaskNote, TaskState, Who, begin_run, end_run, note_task
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.ledger.syncs import Hold, Sync, begin_sync
from airflow_provider_dropcowboy.reports.page.campaigns import PAGE_ROWS
from airflow_provider_dropcowboy.reports.status import read_overview
from tests.integration.reports.page.page_server import PageServer, text_of
from tests.integration.sent import ACCOUNT, Sent, age, by

SPRING = {"account": ACCOUNT, "campaign": "spring"}


def figure(text: str, name: str) -> str:
    """The number below a word."""
    found = re.search(rf"{name} ([\d,.]+)", text)
    assert found is not None, text
    return found[1]


def test_a_campaigns_page_has_the_ledgers_numbers(page: PageServer, sent: Sent) -> None:
    sent.ask(range(1_200))
    sent.tell(*range(30), product_cost=0.1)
    sent.tell(*range(30, 35), status="failure", reason="Voicemail box full")
    sent.ask([2_000], outcome=Outcome.REJECTED, reason="Invalid brand_id")
    text = text_of(page.get("campaign", **SPRING))
    assert "Delivered 30 2.5% Sent 1,201 Refused 1 0.1% In doubt 0 Cost $3.00 for 30 results" in text
    assert "Rows read 1,201 100.0% Cleared to send 1,201 100.0% Sent 1,201 100.0% 1 refused" in text
    assert "Accepted 1,200 99.9% 5 failed 1,165 no result yet Delivered 30 2.5%" in text
    assert "Failed Voicemail box full 5 Refused Invalid brand_id 1" in text
    assert "dropcowboy rejected release spring" in text


def test_doubt_is_told_with_the_command_that_settles_it(page: PageServer, sent: Sent) -> None:
    sent.ask([1], outcome=Outcome.UNKNOWN, reason="no answer within 30 s")
    sent.claim(2)
    assert "1 in doubt." in text_of(page.get("campaign", **SPRING))
    age(sent.ledger, timedelta(minutes=2))
    text = text_of(page.get("campaign", **SPRING))
    assert "2 in doubt." in text
    assert f"dropcowboy unknown settle spring --account {ACCOUNT} --channel rvm --as sent" in text
    assert "Worker lost" in text
    assert "Stopped" in text.split("Voicemails")[0]


def test_what_was_read_and_not_asked_is_that_of_the_last_run(page: PageServer, sent: Sent) -> None:
    end_run(sent.ledger, sent.run, counts={"held": 9, "invalid": 4}, reason=None)
    who = Who(dag_id="daily", task_id="send", run_id="scheduled__1", try_number=3, map_index=-1)
    again = begin_run(sent.ledger, sent.campaign, who=who, wanted=1)
    verdicts = {"held": {"over the campaign's limit of 3": 2}}
    end_run(sent.ledger, again, counts={"held": 2, "accepted": 3}, reason="the task was stopped", verdicts=verdicts)
    text = text_of(page.get("campaign", **SPRING))
    assert "2 held without an opening." in text
    assert "Held Over the campaign's limit of 3 2" in text
    assert "4 invalid" not in text.split("Runs")[0]
    assert "daily.send scheduled__1, try 3" in text
    assert "the task was stopped" in text


def test_it_is_loaded_again_while_a_run_is_going_on_and_no_longer(page: PageServer, sent: Sent) -> None:
    sent.ask([1])
    assert page.get("campaign", **SPRING).headers["Refresh"] == "10"
    assert "Refresh" not in page.get("campaign", **SPRING, live="0").headers
    assert page.get("campaigns").headers["Refresh"] == "10"
    sent.end()
    for path, query in (("campaign", SPRING), ("campaigns", {})):
        assert "Refresh" not in page.get(path, **query).headers


def test_a_pause_is_told(page: PageServer, sent: Sent) -> None:
    sent.end()
    pause_campaign(sent.ledger, "spring")
    assert "Paused Last run" in text_of(page.get("campaign", **SPRING))


def test_both_channels_of_a_name_are_on_one_page(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    Sent(ledger, channel=Channel.SMS).ask([1, 2])
    text = text_of(page.get("campaign", **SPRING))
    assert text.index("Voicemails Delivered 0 0.0% Sent 1") < text.index("Texts Delivered 0 0.0% Sent 2")


def test_campaigns_are_found_by_a_part_of_their_name_and_a_page_at_a_time(page: PageServer, ledger: Ledger) -> None:
    for number in range(PAGE_ROWS + 2):
        Sent(ledger, f"daily {number:02}").ask([1])
    Sent(ledger, "50%_off").ask([1])
    first, second = (page.get("campaigns", q="DAILY", page=number) for number in "12")
    assert "27 campaigns, newest first" in text_of(first)
    names = [re.findall(r">(daily \d\d)<", answer.text) for answer in (first, second)]
    assert names[0] + names[1] == [f"daily {number:02}" for number in reversed(range(PAGE_ROWS + 2))]
    assert re.findall(r">(50%_off)<", page.get("campaigns", q="%_").text) == ["50%_off"]
    assert "No campaign that you may see matches “nothing”." in text_of(page.get("campaigns", q="nothing"))
    assert text_of(page.get("campaigns", q="DAILY", page="99")) == text_of(second)
    assert page.get("campaigns", page="").status_code == 200


def test_a_dag_run_leads_to_its_campaign_and_to_each_of_several(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    one = page.get("run", dag_id="daily", run_id="scheduled__1")
    assert figure(text_of(one), "Sent") == "1"
    by(Sent(ledger, "reminders"), task_id="remind", map_index=4).ask([1, 2])
    both = text_of(page.get("run", dag_id="daily", run_id="scheduled__1"))
    assert "spring" in both
    assert "reminders" in both
    task = {"dag_id": "daily", "run_id": "scheduled__1", "task_id": "remind"}
    for map_index in ("4", "{MAP_INDEX}", "-1"):
        assert figure(text_of(page.get("run", **task, map_index=map_index)), "Sent") == "2"
    assert "This task has sent nothing so far." in text_of(page.get("run", **task, map_index="5"))
    assert "This run has sent nothing so far." in text_of(page.get("run", dag_id="daily", run_id="manual__2"))


def test_a_run_id_is_found_though_its_plus_arrives_as_a_space(page: PageServer, ledger: Ledger) -> None:
    by(Sent(ledger), run_id="scheduled__2026-11-24T00:00:00+00:00").ask([1])
    for run_id in ("scheduled__2026-11-24T00:00:00+00:00", "scheduled__2026-11-24T00:00:00 00:00"):
        assert figure(text_of(page.get("run", dag_id="daily", run_id=run_id)), "Sent") == "1"


def test_a_campaign_says_first_how_it_stands(page: PageServer, sent: Sent) -> None:
    def status() -> str:
        return text_of(page.get("campaign", **SPRING)).split("spring", 2)[2].split("Last run")[0].strip()

    assert status() == "Sending"
    sent.ask([1, 2])
    sent.end()
    assert status() == "Sent"
    sent.tell(1, 2)
    assert status() == "Finished"
    end_run(sent.ledger, sent.run, counts={}, reason="too many were refused", error="94 of 225 were refused.")
    assert status() == "Stopped"
    assert "94 of 225 were refused." in text_of(page.get("campaign", **SPRING))
    end_run(sent.ledger, sent.run, counts={}, reason=None, error="All were refused.")
    assert status() == "Stopped"
    (listed,) = read_overview(sent.ledger)
    assert (listed.status.phase, listed.status.why) == ("stopped", "All were refused.")
    assert "spring Stopped" in text_of(page.get("campaigns"))


def test_a_campaign_without_callback_url_says_that_no_results_will_come(page: PageServer, ledger: Ledger) -> None:
    by(Sent(ledger), gets_results=False).ask([1])
    text = text_of(page.get("campaign", **SPRING))
    assert "No results will come: no callback URL." in text
    assert "Delivered – Sent 1" in text
    assert "Cost –" in text


def test_the_cost_stands_against_the_budget(page: PageServer, ledger: Ledger) -> None:
    sent = by(Sent(ledger), budget_micros=500_000_000)
    sent.ask(range(3))
    sent.tell(0, 1, product_cost=0.25)
    assert "Cost $0.50 of $500.00" in text_of(page.get("campaign", **SPRING))


def test_entries_of_a_suppression_list_that_were_not_read_are_shown(page: PageServer, sent: Sent) -> None:
    end_run(sent.ledger, sent.run, counts={"accepted": 1}, reason=None, unreadable_suppressions=3)
    assert "3 suppression entries could not be read." in text_of(page.get("campaign", **SPRING))


def test_campaigns_that_sent_nothing_are_grouped_away(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    Sent(ledger, "empty").end()
    text = text_of(page.get("campaigns"))
    assert "1 campaign" in text
    assert "Sent nothing (1)" in text
    assert "empty" not in text
    assert "empty" in text_of(page.get("campaigns", show="nothing"))


def test_campaigns_are_filtered_and_sorted(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    sent.end()
    by(Sent(ledger, "a text", channel=Channel.SMS), dag_id="weekly").ask([1, 2], outcome=Outcome.UNKNOWN)

    def names(**query: str) -> list[str]:
        return re.findall(r"campaign=(spring|a\+text)", page.get("campaigns", **query).text)

    assert names() == ["a+text", "spring"]
    assert names(sort="name") == ["a+text", "spring"]
    assert names(sort="sent") == ["a+text", "spring"]
    assert names(channel="rvm") == names(dag="daily") == ["spring"]
    assert names(show="doubt") == names(show="sending") == ["a+text"]
    assert names(show="waiting") == names(since="2100-01-01") == []
    assert names(since="2020-01-01") == ["a+text", "spring"]


def test_minutes_are_drawn_where_hours_are_too_few(page: PageServer, sent: Sent) -> None:
    sent.ask(range(40))
    sent.end()
    assert "Messages over time" not in text_of(page.get("campaign", **SPRING))
    with sent.ledger.writing() as connection:
        for number, foreign_id in enumerate(connection.execute(sa.select(SENDS.c.foreign_id)).scalars().all()):
            later = datetime.now(UTC) + timedelta(seconds=number)
            connection.execute(SENDS.update().where(SENDS.c.foreign_id == foreign_id).values(answered_at=later))
    text = text_of(page.get("campaign", **SPRING))
    assert "Messages per second, by the time of their latest update." in text


def test_a_chart_of_a_large_campaign_is_read_from_a_sample(page: PageServer, sent: Sent) -> None:
    sent.ask(range(MAX_READ + 1))
    sent.end()
    with sent.ledger.writing() as connection:
        for second in range(40):
            later = datetime.now(UTC) + timedelta(seconds=second)
            keys = [str(key) for key in range(second, MAX_READ + 1, 40)]
            connection.execute(SENDS.update().where(SENDS.c.contact_key.in_(keys)).values(answered_at=later))
    assert "Estimated from 1 in 2 messages." in text_of(page.get("campaign", **SPRING))


def test_times_are_in_the_zone_that_the_reader_chose(page: PageServer, sent: Sent) -> None:
    with sent.ledger.writing() as connection:
        connection.execute(RUNS.update().values(started_at=datetime(2026, 11, 28, 16, 2, tzinfo=UTC)))
    assert "Last run: Nov 28, 2026, 4:02 PM" in text_of(page.get("campaign", **SPRING))
    assert "Last run: Nov 28, 2026, 11:02 AM" in text_of(page.get("campaign", **SPRING, tz="America/New_York"))
    assert "Last run: Nov 28, 2026, 11:02 AM" in text_of(page.get("campaign", **SPRING)), "it is remembered"


def test_a_task_without_a_campaign_of_its_own_says_what_it_came_to(page: PageServer, sent: Sent) -> None:
    def note(task_id: str, **said: Any) -> None:
        note_task(sent.ledger, TaskNote(dag_id="daily", run_id="r", task_id=task_id, map_index=None, **said))

    def tab(task_id: str) -> str:
        return text_of(page.get("run", dag_id="daily", run_id="r", task_id=task_id, map_index="{MAP_INDEX}"))

    sent.ask(range(4))
    sent.tell(0, 1, 2)
    note("old", state=TaskState.SKIPPED, message="This run was due 8 days ago.")
    note("wrong", state=TaskState.FAILED, message="There is no connection 'dropcowboy_defualt'.")
    note("wait", state=TaskState.WAITING, account=ACCOUNT, campaign="spring", min_final_share=0.9)
    who = Who(dag_id="daily", task_id="sync", run_id="r", map_index=-1)
    sync = begin_sync(sent.ledger, ACCOUNT, name="customers", mode="mirror", who=who, timeout_s=1.0)
    assert isinstance(sync, Sync)
    Hold(sent.ledger, sync).finish({"read": 900, "added": 20, "removed": 11, "contact_count": 893})
    assert "Skipped This run was due 8 days ago." in tab("old")
    assert "Failed There is no connection 'dropcowboy_defualt'." in tab("wrong")
    assert "3 of 4 accepted messages have a result (75.0%). The sensor waits for 90.0%." in tab("wait")
    assert "Contact list customers Finished In the list now 893 Added 20 Removed 11" in tab("sync")
