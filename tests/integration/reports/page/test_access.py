"""What the page keeps from its readers, and what it refuses: over HTTP, on both databases."""

import re

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger
from tests.integration.reports.page.page_server import PageServer, Visitor, text_of
from tests.integration.sent import ACCOUNT, Sent, by, phone

SPRING = {"account": ACCOUNT, "campaign": "spring"}


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
        ("campaigns", "since", "yesterday"),
        ("campaigns", "since", "0001-01-01"),
        ("campaigns", "channel", "fax"),
        ("campaigns", "show", "all"),
        ("campaigns", "sort", "cost"),
        ("campaigns", "tz", "Moon/Base"),
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
    assert "State Failed (Voicemail box full)" in text
    assert "daily.send scheduled__1 try 2" in text
    assert "Callback, applied failure" in text
    assert str(phone(1)) in text
    assert phone(1).e164 not in answer.text
    assert "This campaign never sent a message to that contact key" in text_of(
        page.post("message", **SPRING, contact="2")
    )
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
    assert "No DAG that you may see has sent anything yet" in text_of(page.get("campaigns"))
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
    sent.ask([1])
    by(Sent(ledger, "from a shell"), dag_id=None, task_id="command line").ask([1])
    page.visitor = Visitor(dag_ids={"daily"}, is_admin=False)
    text = text_of(page.get("campaigns"))
    assert "1 campaign" in text
    assert "from a shell" not in text
    page.visitor = Visitor(dag_ids=set())
    assert "from a shell" in text_of(page.get("campaigns"))


def test_every_answer_forbids_scripts_and_storing(page: PageServer, sent: Sent) -> None:
    for answer in (page.get("campaigns"), page.get("nothing"), page.post("message", contact="x" * 20_000)):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert page.post("message", contact="x" * 20_000).status_code == 413
    assert page.post("campaigns").status_code == 404
