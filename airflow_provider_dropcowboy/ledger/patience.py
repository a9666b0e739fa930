"""Claims and outcomes over a database that goes away for a while."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

import tenacity

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.errors import LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, bind_campaign
from airflow_provider_dropcowboy.ledger.claims import claim, find_claims, new_claim_id, reclaim
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.judgement import NO_RULES, Claim, ClaimRules, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered, record
from airflow_provider_dropcowboy.ledger.runs import NO_TERMS, Run, Terms, Who, begin_run
from airflow_provider_dropcowboy.ledger.verdicts import NotSent, keep_verdicts
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import LEASE

CLAIM_PATIENCE_S: Final = 60.0
"""Nothing is lost by giving up a claim: the run fails and Airflow's retry goes on."""
RECORD_PATIENCE_S: Final = 600.0
"""What was sent and cannot be recorded becomes doubt: worth a longer wait."""

log = logging.getLogger(__name__)

GiveUp = Callable[[], bool]
T = TypeVar("T")


def bind_patiently(
    ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str, clock: Clock = SYSTEM_CLOCK
) -> Campaign:
    """``bind_campaign``, again until it is known to be on disk.

    :raises LedgerError: the database did not come back in time; nothing was sent.
    """
    return _until_answered(
        CLAIM_PATIENCE_S,
        lambda: bind_campaign(ledger, account, name=name, channel=channel, prefix=prefix),
        clock=clock,
    )


def begin_patiently(
    ledger: Ledger,
    campaign: Campaign,
    *,
    who: Who,
    wanted: int,
    terms: Terms = NO_TERMS,
    clock: Clock = SYSTEM_CLOCK,
) -> Run:
    """``begin_run``, again until it is known to be on disk: one row, whatever became of the first answers.

    :raises LedgerError: as ``bind_patiently``.
    """
    started_at = _until_answered(CLAIM_PATIENCE_S, lambda: _now(ledger), clock=clock)
    return _until_answered(
        CLAIM_PATIENCE_S,
        lambda: begin_run(ledger, campaign, who=who, wanted=wanted, started_at=started_at, terms=terms),
        clock=clock,
    )


def claim_patiently(
    ledger: Ledger,
    run: Run,
    *,
    candidates: Sequence[Candidate],
    give_up: GiveUp,
    rules: ClaimRules = NO_RULES,
    met: Mapping[str, str] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    uncertain: str | None = None,
) -> tuple[Judgement, Deadline]:
    """``claim``, again until it is known to be on disk.

    :param give_up: called before each further try.
    :param met: as ``claim`` has it.
    :param uncertain: name of a claim of theirs whose COMMIT got no answer.
    :returns: the judgement, and when the lease of its claims ends. It counts from before the first try.
    :raises LedgerError: the database did not come back in time; what may have been claimed is not sent.
    """
    return _patiently(
        ledger,
        run,
        candidates={candidate.message.foreign_id: candidate for candidate in candidates},
        claim_rest=lambda claim_id, rest: claim(ledger, run, candidates=rest, claim_id=claim_id, rules=rules, met=met),
        give_up=give_up,
        clock=clock,
        uncertain=uncertain,
    )


def reclaim_patiently(
    ledger: Ledger,
    run: Run,
    *,
    claims: Sequence[Claim],
    give_up: GiveUp,
    rules: ClaimRules = NO_RULES,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Judgement, Deadline]:
    """``reclaim``, again until it is known to be on disk; else as ``claim_patiently``."""
    by_id = {old.message.foreign_id: old for old in claims}
    return _patiently(
        ledger,
        run,
        candidates={name: old.candidate for name, old in by_id.items()},
        claim_rest=lambda claim_id, rest: reclaim(
            ledger,
            run,
            claims=[by_id[candidate.message.foreign_id] for candidate in rest],
            claim_id=claim_id,
            rules=rules,
        ),
        give_up=give_up,
        clock=clock,
    )


def record_patiently(ledger: Ledger, run: Run, *, answered: Sequence[Answered], clock: Clock = SYSTEM_CLOCK) -> int:
    """``record``, again until it is on disk.

    :raises LedgerError: the database did not come back in time: these sends are in doubt now.
    """
    return _until_answered(RECORD_PATIENCE_S, lambda: record(ledger, run, answered=answered), clock=clock)


def keep_verdicts_patiently(
    ledger: Ledger, run: Run, *, rows: Sequence[NotSent], give_up: GiveUp, clock: Clock = SYSTEM_CLOCK
) -> None:
    """``keep_verdicts``, again until it is on disk.

    :param give_up: called before each further try.
    :raises LedgerError: the database did not come back in time.
    """
    _until_answered(CLAIM_PATIENCE_S, lambda: keep_verdicts(ledger, run, rows), give_up=give_up, clock=clock)


def _now(ledger: Ledger) -> datetime:
    with ledger.reading() as connection:
        return now(connection)


def _until_answered(patience_s: float, call: Callable[[], T], *, clock: Clock, give_up: GiveUp = lambda: False) -> T:
    return _attempts(patience_s, clock=clock, give_up=give_up)(call)


def _attempts(patience_s: float, *, clock: Clock, give_up: GiveUp) -> tenacity.Retrying:
    gives_up_s = clock.awake_s() + patience_s  # a machine that was suspended tries again
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        stop=lambda _: give_up() or clock.awake_s() >= gives_up_s,
        wait=lambda state: clock.pause_s(_WAIT(state)),
        before_sleep=_warn,
        reraise=True,
    )


def _patiently(
    ledger: Ledger,
    run: Run,
    *,
    candidates: dict[str, Candidate],
    claim_rest: Callable[[str, Sequence[Candidate]], Judgement],
    give_up: GiveUp,
    clock: Clock,
    uncertain: str | None = None,
) -> tuple[Judgement, Deadline]:
    lease_ends = clock.deadline(LEASE)
    found: list[Claim] = []
    for attempt in _attempts(CLAIM_PATIENCE_S, clock=clock, give_up=give_up):
        with attempt:
            if uncertain is not None:
                # the answer to a COMMIT was lost: what is there is ours, and nothing else of that batch ever will be
                found += find_claims(ledger, run, candidates=list(candidates.values()), claim_id=uncertain)
                for old in found:
                    candidates.pop(old.message.foreign_id, None)
            uncertain = new_claim_id()
            judgement = claim_rest(uncertain, list(candidates.values())) if candidates else Judgement()
    judgement.claimed += found
    return judgement, lease_ends


def _may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later: a database comes back, the file that a process has open does not."""
    return isinstance(error, LedgerError) and not isinstance(error, LedgerReplacedError)


def _warn(state: tenacity.RetryCallState) -> None:
    log.warning("the ledger did not answer (try %d), asking it again: %s", state.attempt_number, _error(state))


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


_WAIT: Final = tenacity.wait_exponential(multiplier=0.1, max=5.0) + tenacity.wait_random(0, 0.2)
