"""A run that sent nothing says why in its last line, and fails where that is wanted."""

import re
from datetime import timedelta
from typing import Final

import pytest

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import (
    NothingSentError,
)
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from tests.integration.conftest import MakePlan, RunPlan, people

A_DAY: Final = timedelta(days=1)


class TestNothingSent:
    """A run that sent nothing says why in its last line, and fails where that is wanted."""

    @pytest.mark.parametrize(
        ("changes", "rows", "why"),
        [
            ({}, [], "the source has no rows"),
            ({}, [{"id": n, "phone": "n/a" if n else None} for n in range(3)], "3 rows were read: 3 invalid"),
            ({"opt_in_column": "name"}, people(2), r"2 suppressed \(no consent in name \(2\)\)\. Check opt_in_column"),
            ({"claim_rules": ClaimRules(repeat_window=A_DAY)}, people(1), r"capped .*set repeat_window=None"),
            ({"claim_rules": ClaimRules(caps=((1, A_DAY),))}, people(1), "capped .*max_attempts"),
            ({"claim_rules": ClaimRules(limit=0)}, people(9, first=5), r"9 held .*Raise limit"),
        ],
        ids=["no rows", "all invalid", "no consent", "repeated", "attempts", "limit"],
    )
    def test_the_last_line_is_a_warning_with_the_reason(
        self,
        plan: MakePlan,
        run: RunPlan,
        caplog: pytest.LogCaptureFixture,
        changes: dict[str, object],
        rows: list[dict[str, object]],
        why: str,
    ) -> None:
        caplog.set_level("INFO")
        run(plan(campaign="another"), people(1))
        run(plan(**changes), rows)
        assert caplog.records[-1].levelname == "WARNING"
        assert re.search(f"^Nothing was sent: .*{why}", caplog.messages[-1])
        with pytest.raises(NothingSentError, match=f"^Nothing was sent: .*{why}"):
            run(plan(fail_if_nothing_sent=True, **changes), rows)

    def test_a_rerun_with_nothing_left_to_send_is_in_order(
        self, plan: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        rows = [*people(2), {"id": 9, "phone": "n/a"}]
        for _ in ("first", "again"):
            run(plan(fail_if_nothing_sent=True), rows)
        assert caplog.records[-1].levelname == "INFO"
        assert caplog.messages[-1] == "Nothing new to send: 2 messages of the campaign were sent before."

    def test_a_run_that_is_too_old_fails_where_that_is_wanted(self, plan: MakePlan, run: RunPlan) -> None:
        old = plan(stale_from=utcnow() - 2 * A_DAY, max_staleness=A_DAY, fail_if_nothing_sent=True)
        with pytest.raises(NothingSentError, match="this run was due 2 days"):
            run(old, people(1))
