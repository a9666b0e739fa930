"""The report page over HTTP, on both databases: its numbers are the ledger's, and nobody sees too much."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.answers import Outcome
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.pauses import pause_campaign
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run, end_run
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.reports.page.campaigns import PAGE_ROWS
from tests.integration.reports.page.page_server import PageServer, Visitor, text_of
from tests.integration.sent import ACCOUNT, Sent, age, phone

SPRING = {"account": ACCOUNT, "campaign": "spring"}


def figure(text: str, name: str) -> str:
    """The number below a word."""
    found = re.search(rf"{name} ([\d,.]+)", text)
    assert found is not None, text
    return found[1]


def by(sent: Sent, **who: object) -> Sent:
    """Its run is another one's."""
    with sent.ledger.writing() as connection:
        connection.execute(RUNS.update().where(RUNS.c.id == sent.run.id).values(**who))
    return sent


def test_a_campaigns_page_has_the_ledgers_numbers(page: PageServer, sent: Sent) -> None:
    sent.ask(range(1_200))
    sent.tell(*range(30), product_cost=0.1)
    sent.tell(*range(30, 35), status="failure", reason="Voicemail box full")
    sent.ask([2_000], outcome=Outcome.REJECTED, reason="Invalid brand_id")
    text = text_of(page.get("campaign", **SPRING))
    assert figure(text, "asked") == "1,201"
    assert figure(text, "taken by Drop Cowboy") == "1,200"
    assert figure(text, "delivered") == "30"
    assert figure(text, "failed") == "5"
    assert figure(text, "cost, US dollars") == "3.00"
    assert "failed 5 0.4% Voicemail box full (5)" in text
    assert "accepted 1,165 97.0%" in text
    assert "Invalid brand_id (1)" in text
    assert "dropcowboy rejected release spring" in text


def test_doubt_is_told_with_the_command_that_settles_it(page: PageServer, sent: Sent) -> None:
    sent.ask([1], outcome=Outcome.UNKNOWN, reason="no answer within 30 s")
    sent.claim(2)
    assert "1 in doubt." in text_of(page.get("campaign", **SPRING))
    age(sent.ledger, timedelta(minutes=2))
    text = text_of(page.get("campaign", **SPRING))
    assert "2 in doubt." in text
    assert f"dropcowboy unknown settle spring --account {ACCOUNT} --channel rvm --as sent" in text
    assert "gone without a word" in text


def test_what_was_read_and_not_asked_is_that_of_the_last_run(page: PageServer, sent: Sent) -> None:
    end_run(sent.ledger, sent.run, counts={"held": 9, "invalid": 4}, reason=None)
    who = Who(dag_id="daily", task_id="send", run_id="scheduled__1", try_number=3, map_index=-1)
    again = begin_run(sent.ledger, sent.campaign, who=who, wanted=1)
    verdicts = {"held": {"over the campaign's limit of 3": 2}}
    end_run(sent.ledger, again, counts={"held": 2, "accepted": 3}, reason="the task was stopped", verdicts=verdicts)
    text = text_of(page.get("campaign", **SPRING))
    assert "2 rows are held." in text
    assert "held 2 over the campaign's limit of 3 (2)" in text
    assert "invalid 4" not in text.split("Runs")[0]
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
    assert "Nobody is asked now." in text_of(page.get("campaign", **SPRING))


def test_both_channels_of_a_name_are_on_one_page(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    Sent(ledger, channel=Channel.SMS).ask([1, 2])
    text = text_of(page.get("campaign", **SPRING))
    assert text.index("Voicemails asked 1") < text.index("Texts asked 2")


def test_campaigns_are_found_by_a_part_of_their_name_and_a_page_at_a_time(page: PageServer, ledger: Ledger) -> None:
    for number in range(PAGE_ROWS + 2):
        Sent(ledger, f"daily {number:02}").end()
    Sent(ledger, "50%_off").end()
    first, second = (page.get("campaigns", q="DAILY", page=number) for number in "12")
    assert "27 campaigns, the newest first" in text_of(first)
    names = [re.findall(r">(daily \d\d)<", answer.text) for answer in (first, second)]
    assert names[0] + names[1] == [f"daily {number:02}" for number in reversed(range(PAGE_ROWS + 2))]
    assert re.findall(r">(50%_off)<", page.get("campaigns", q="%_").text) == ["50%_off"]
    assert "has “nothing” in its name" in text_of(page.get("campaigns", q="nothing"))
    assert page.get("campaigns", q="DAILY", page="99").text == second.text
    assert page.get("campaigns", page="").status_code == 200


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("campaigns", "page", "9" * 5_000),
        ("campaigns", "page", "9" * 30),
        ("campaigns", "page", "x"),
        ("campaigns", "page", "-1"),
        ("campaigns", "page", "0"),
        ("campaigns", "page", "1.5"),
        ("campaigns", "page", "\u0664"),
        ("campaigns", "q", "\0"),
        ("campaigns", "q", "x" * 5_000),
        ("campaigns", "live", "maybe"),
        ("campaign", "campaign", "spring\0"),
        ("campaign", "account", "\0"),
        ("run", "map_index", "9" * 30),
        ("run", "map_index", "-2"),
        ("run", "map_index", "x"),
        ("run", "dag_id", "daily\0"),
        ("run", "run_id", "\0"),
        ("run", "task_id", "\0"),
        ("message", "contact", "\0"),
    ],
    ids=lambda value: repr(value[:9]),
)
def test_a_senseless_value_is_the_askers_fault(page: PageServer, sent: Sent, path: str, name: str, value: str) -> None:
    known = {**SPRING, "dag_id": "daily", "run_id": "scheduled__1", "task_id": "send", name: value}
    answer = page.post(path, **known) if path == "message" else page.get(path, **known)
    assert answer.status_code == 400
    assert f"There is no such {name}." in text_of(answer)


def test_a_persons_life_is_found_by_key_with_the_number_masked(page: PageServer, sent: Sent) -> None:
    sent.ask([1])
    sent.tell(1, status="failure", reason="Voicemail box full")
    answer = page.post("message", **SPRING, contact=" 1 ")
    text = text_of(answer)
    assert "state failed (Voicemail box full)" in text
    assert "daily.send scheduled__1 try 2" in text
    assert "callback, applied failure" in text
    assert str(phone(1)) in text
    assert phone(1).e164 not in answer.text
    assert "Nobody with that contact key" in text_of(page.post("message", **SPRING, contact="2"))
    assert "That is no contact key" in text_of(page.post("message", **SPRING, contact=""))


def test_a_contact_key_is_never_asked_for_in_an_address(page: PageServer, sent: Sent) -> None:
    sent.ask([1])
    assert page.get("message", **SPRING, contact="1").status_code == 404
    (form,) = re.findall('<form[^>]*action="message"[^>]*>', page.get("campaign", **SPRING).text)
    assert 'method="post"' in form


def test_no_page_holds_a_number(page: PageServer, sent: Sent) -> None:
    sent.ask(range(5))
    sent.tell(0, 1)
    answers = [
        page.get("campaigns"),
        page.get("campaign", **SPRING),
        page.get("run", dag_id="daily", run_id="scheduled__1"),
        page.post("message", **SPRING, contact="0"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert not any(phone(key).e164.removeprefix("+1") in answer.text for key in range(5))


def test_who_may_not_see_a_dag_sees_nothing_of_what_it_sent(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    page.visitor = Visitor(dag_ids={"another"})
    assert "Nothing was sent yet by a DAG that you may see" in text_of(page.get("campaigns"))
    refused = [
        page.get("campaign", **SPRING),
        page.get("run", dag_id="daily", run_id="scheduled__1"),
        page.post("message", **SPRING, contact="1"),
    ]
    assert [answer.status_code for answer in refused] == [404] * 3
    assert not any("spring" in answer.text for answer in refused)
    page.visitor = Visitor(dag_ids={"daily"})
    assert page.get("campaign", **SPRING).status_code == 200


def test_what_was_sent_from_a_shell_is_not_for_everybody(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.end()
    by(Sent(ledger, "from a shell"), dag_id=None, task_id="command line").end()
    page.visitor = Visitor(dag_ids={"daily"}, is_admin=False)
    text = text_of(page.get("campaigns"))
    assert "1 campaign" in text
    assert "from a shell" not in text
    page.visitor = Visitor(dag_ids=set())
    assert "from a shell" in text_of(page.get("campaigns"))


def test_a_dag_run_leads_to_its_campaign_and_to_each_of_several(page: PageServer, sent: Sent, ledger: Ledger) -> None:
    sent.ask([1])
    one = page.get("run", dag_id="daily", run_id="scheduled__1")
    assert figure(text_of(one), "asked") == "1"
    by(Sent(ledger, "reminders"), task_id="remind", map_index=4).ask([1, 2])
    both = text_of(page.get("run", dag_id="daily", run_id="scheduled__1"))
    assert "spring" in both
    assert "reminders" in both
    task = {"dag_id": "daily", "run_id": "scheduled__1", "task_id": "remind"}
    for map_index in ("4", "{MAP_INDEX}", "-1"):
        assert figure(text_of(page.get("run", **task, map_index=map_index)), "asked") == "2"
    assert "It has sent nothing so far." in text_of(page.get("run", **task, map_index="5"))
    assert "It has sent nothing so far." in text_of(page.get("run", dag_id="daily", run_id="manual__2"))


def test_a_run_id_is_found_though_its_plus_arrives_as_a_space(page: PageServer, ledger: Ledger) -> None:
    by(Sent(ledger), run_id="scheduled__2026-11-24T00:00:00+00:00").ask([1])
    for run_id in ("scheduled__2026-11-24T00:00:00+00:00", "scheduled__2026-11-24T00:00:00 00:00"):
        assert figure(text_of(page.get("run", dag_id="daily", run_id=run_id)), "asked") == "1"


def test_every_answer_forbids_scripts_and_storing(page: PageServer, sent: Sent) -> None:
    for answer in (page.get("campaigns"), page.get("nothing"), page.post("message", contact="x" * 20_000)):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert page.post("message", contact="x" * 20_000).status_code == 413
    assert page.post("campaigns").status_code == 404


def test_without_a_ledger_it_says_so_until_there_is_one(ledger_url: str) -> None:
    opened: list[Ledger] = []

    def find() -> Ledger:
        opened.append(open_ledger(ledger_url))
        return opened[-1]

    with PageServer(find) as page:
        answer = page.get("campaigns")
        assert answer.status_code == 503
        assert "The first send task creates it" in text_of(answer)
        open_ledger(ledger_url, may_create=True).engine.dispose()
        assert [page.get("campaigns").status_code for _ in range(2)] == [200, 200]
    (found,) = opened
    found.engine.dispose()


def test_a_ledger_that_was_replaced_is_shown_as_it_is_now(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    opened = open_ledger(url, may_create=True)
    opened.engine.dispose()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    found: list[Ledger] = []

    def find() -> Ledger:
        found.append(open_ledger(url))
        return found[-1]

    with PageServer(find) as page:
        assert page.get("campaigns").status_code == 200
        (tmp_path / "backup.db").replace(tmp_path / "ledger.db")
        assert [page.get("campaigns").status_code for _ in range(2)] == [503, 200]
    found[-1].engine.dispose()
