"""P2: every row stands in one counted state, the counts add up, and they are what really happened."""

from airflow_provider_dropcowboy.states import State
from tests.acceptance.torture import Round


def test_everybody_who_can_be_sent_to_is_in_the_ledger(tortured: Round) -> None:
    assert tortured.evidence.not_in_the_ledger() == []


def test_what_the_vendor_took_is_accepted_or_known_to_be_in_doubt(tortured: Round) -> None:
    assert tortured.evidence.taken_and_lost() == []


def test_what_is_in_doubt_stays_so_on_v1_and_is_accepted_by_the_next_run_on_v2(tortured: Round) -> None:
    evidence = tortured.evidence
    assert (evidence.counts()[State.UNKNOWN] > 0) is (evidence.api == "v1")
    assert evidence.in_doubt_after_the_next_run() == []


def test_nothing_is_called_accepted_that_the_vendor_never_took(tortured: Round) -> None:
    assert tortured.evidence.counts()[State.ACCEPTED] > 1200
    assert tortured.evidence.accepted_and_never_taken() == []


def test_the_counts_of_every_run_add_up_to_the_rows_it_read(tortured: Round) -> None:
    assert len(tortured.evidence.runs) >= 4
    assert tortured.evidence.unbalanced_runs() == tortured.evidence.failed_runs() == []


def test_the_last_run_counts_what_really_happened(tortured: Round) -> None:
    assert tortured.evidence.last_run_differs() == []
