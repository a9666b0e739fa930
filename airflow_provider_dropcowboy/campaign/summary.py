"""What a run came to, in counts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from airflow_provider_dropcowboy.campaign.forecast import Forecast
from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.ledger.judgement import Judgement
from airflow_provider_dropcowboy.ledger.sends import Found
from airflow_provider_dropcowboy.screening.screen import Verdict
from airflow_provider_dropcowboy.states import CONTACTED, VERDICTS, State

MAX_REASONS: Final = 5
MAX_OPENINGS: Final = 60
"""Openings and places that are kept by name; there may be a few hundred."""
OTHER_PLACES: Final = "other places"


@dataclass(slots=True)
class Tally:
    """Counts while a run goes on. Every row that was read comes to exactly one state.

    :param read: rows of the source, and those that only earlier waves read.
    :param own: states of the rows that this run claimed; part of ``states``.
    :param held_back: rows that this run claimed, did not send and gave back, for the verdict in which they count.
    :param already: rows that another run had sent.
    :param conflicts: outcomes that contradict the ledger; anything but 0 is a broken promise.
    :param next_opening: the first moment at which a held row may be called.
    :param openings: held rows by the moment at which they may be called, and by the places that say so.
    :param unreadable_suppressions: entries of the suppression list that are no numbers, and were allowed to be none.
    :param unconfirmed: messages whose claim may stand, since the answer to its COMMIT never came; none was sent.
    """

    read: int = 0
    states: Counter[State] = field(default_factory=Counter)
    own: Counter[State] = field(default_factory=Counter)
    reasons: Counter[tuple[State, str]] = field(default_factory=Counter)
    already: int = 0
    conflicts: int = 0
    unconfirmed: int = 0
    unreadable_suppressions: int = 0
    held_back: int = 0
    next_opening: datetime | None = None
    openings: Counter[tuple[datetime, str]] = field(default_factory=Counter)

    @property
    def asked(self) -> int:
        """Messages that this run sent: those of its claims that were accepted, refused, or are in doubt."""
        return sum(count for state, count in self.own.items() if state in CONTACTED)

    def count(self, state: State, reason: str | None = None) -> None:
        """One more row stands in ``state``."""
        self.states[state] += 1
        if reason:
            self.reasons[state, reason] += 1

    def count_sent(self, found: Found) -> None:
        """One more row was sent by another run."""
        self.already += 1
        self.count(found.state, found.reason)

    def count_unclaimed(self, judgement: Judgement, *, run_id: int | None) -> None:
        """The rows of a batch that the ledger did not let be claimed.

        :param run_id: of this run; None: it is only a preview.
        """
        for row in judgement.already:
            if row.run_id == run_id:  # its claim got no answer to its COMMIT, and a callback or a person came first
                self.claim()
                self.settle(row.state, row.reason)
            else:
                self.already += 1
                self.count(row.state, row.reason)
        for _message, verdict in judgement.stopped:
            self.stop(verdict)

    def claim(self, rows: int = 1) -> None:
        """So many more rows are claimed by this run."""
        self.states[State.CLAIMED] += rows
        self.own[State.CLAIMED] += rows

    def settle(self, state: State, reason: str | None = None) -> None:
        """A claim of this run came to ``state``."""
        self.own[State.CLAIMED] -= 1
        self.own[state] += 1
        self.states[State.CLAIMED] -= 1
        self.count(state, reason)

    def take_back(self, reason: str) -> None:
        """What this run counted as accepted is in doubt."""
        for counts in (self.own, self.states):
            counts[State.ACCEPTED] -= 1
        self.own[State.UNKNOWN] += 1
        self.count(State.UNKNOWN, reason)

    def stop(self, verdict: Verdict) -> None:
        """One more row is not to be sent in this run."""
        self.count(verdict.state, verdict.reason)
        if verdict.opens_at is not None:
            self.next_opening = min(self.next_opening or verdict.opens_at, verdict.opens_at)
            self.openings[verdict.opens_at, ", ".join(verdict.places)] += 1

    def hold_back(self, verdict: Verdict) -> None:
        """A claim of this run was given back unsent, for the verdict that stops its message."""
        self.own[State.CLAIMED] -= 1
        self.held_back += 1
        self.states[State.CLAIMED] -= 1
        self.stop(verdict)

    def lose(self, state: State, reason: str | None = None) -> None:
        """Somebody else moved a row that this run had claimed and not sent."""
        self.own[State.CLAIMED] -= 1
        self.already += 1
        self.states[State.CLAIMED] -= 1
        self.count(state, reason)

    def balance(self, recorded: Counter[State], *, results_may_free: bool = False) -> None:
        """Take over where this run's rows stand by now, which may be further: callbacks come in meanwhile.

        :param recorded: states of the rows of which the ledger says that this run claimed them last.
        :param results_may_free: a result may say that nothing was sent of what was accepted (API v2).
        :raises BalanceError: the ledger knows of fewer than this run recorded.
        """
        own = +self.own
        recorded = +recorded
        recorded[State.UNKNOWN] += recorded.pop(State.CLAIMED, 0)  # the run is over: nobody will answer for these
        given_back = min(self.held_back, max(recorded[State.RELEASED] - own[State.RELEASED], 0))
        recorded[State.RELEASED] -= given_back
        held_back = self.held_back - given_back  # claimed by another run meanwhile
        recorded = +recorded
        # a message that was not accepted, or is in doubt, may by now be another run's
        movable = own[State.RELEASED] + own[State.REJECTED] + own[State.UNKNOWN]
        gone = own.total() - recorded.total()
        taken = sum(recorded[state] for state in (State.ACCEPTED, State.DELIVERED, State.FAILED, State.EXPIRED))
        if results_may_free:
            movable += own[State.ACCEPTED]
            freed = recorded[State.REJECTED] + recorded[State.RELEASED] - own[State.REJECTED] - own[State.RELEASED]
            taken += max(freed, 0) + max(gone, 0)
        if not -self.unconfirmed - held_back <= gone <= movable or taken < own[State.ACCEPTED]:
            raise BalanceError(
                f"This run claimed {own.total()} rows and recorded {own[State.ACCEPTED]} as accepted; the ledger says "
                f"{recorded.total()} and {taken}. Stop sending (`dropcowboy pause --all`) and look into the ledger: "
                "it was changed, restored, or lost what it had committed."
            )
        if -self.unconfirmed <= gone <= 0:
            self.states += recorded
            self.states -= own
            self.own = recorded

    def count_gone(self, gone: Counter[State]) -> None:
        """Rows that earlier waves read and this one did not."""
        self.read += gone.total()
        self.states += gone

    def check_rows(self) -> None:
        """Every row that was read stands in one state.

        :raises BalanceError: a row was lost on its way, or counted twice.
        """
        if self.read != self.states.total():
            raise BalanceError(
                f"{self.read} rows were read, and {self.states.total()} are counted: {self.as_counts()}. What was sent "
                "is in the ledger, and a rerun sends nothing twice. This is a fault of this package: please report it."
            )

    def leave_unread(self) -> None:
        """The run was stopped: rows that came to no state are left for the next one, as if they were not read."""
        self.read = self.states.total()

    def openings_by_place(self) -> dict[str, dict[str, int]]:
        """Held rows by the instant of their opening and by their places, the most of them; empty: of no place."""
        kept = dict(self.openings.most_common(MAX_OPENINGS))
        found: dict[str, dict[str, int]] = {}
        for (opens_at, places), rows in self.openings.items():
            named = found.setdefault(opens_at.isoformat(), {})
            place = places if (opens_at, places) in kept else OTHER_PLACES
            named[place] = named.get(place, 0) + rows
        return found

    def verdicts(self) -> dict[str, dict[str, int]]:
        """Why rows were not sent: by state, how many for which reason."""
        found: dict[str, dict[str, int]] = {}
        for (state, reason), rows in self.reasons.items():
            if state in VERDICTS:
                found.setdefault(state.value, {})[reason] = rows
        return found

    def as_counts(self) -> dict[str, int]:
        """States that occur, by name."""
        return {state.value: self.states[state] for state in State if self.states[state]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a run ended.

    :param counts: states of the rows read, as they stand at the end; they add up to ``read``.
    :param next_opening: the first moment at which a held row may be called; None: nobody waits for one.
    :param run_id: of the ledger; None: a dry run.
    :param seconds: from the first row to the last record.
    :param own: states of the rows that this run claimed; part of ``counts``.
    :param unreadable_suppressions: entries of the suppression list that were let pass although they are no numbers.
    :param forecast: of a dry run.
    :param calling_hours: version of the rules and of the time zones that rows were screened by; None: by none.
    """

    campaign: str
    read: int
    counts: Mapping[str, int]
    asked: int
    already: int
    seconds: float
    reasons: Mapping[tuple[State, str], int] = field(default_factory=dict)
    next_opening: datetime | None = None
    run_id: int | None = None
    own: Mapping[str, int] = field(default_factory=dict)
    unreadable_suppressions: int = 0
    forecast: Forecast | None = None
    calling_hours: str | None = None

    @classmethod
    def of(
        cls,
        tally: Tally,
        *,
        campaign: str,
        seconds: float,
        run_id: int | None = None,
        forecast: Forecast | None = None,
        calling_hours: str | None = None,
    ) -> "Summary":
        """A run's end, from its tally."""
        return cls(
            campaign=campaign,
            read=tally.read,
            counts=tally.as_counts(),
            asked=tally.asked,
            already=tally.already,
            seconds=seconds,
            reasons=dict(tally.reasons),
            next_opening=tally.next_opening,
            run_id=run_id,
            own={state.value: count for state, count in tally.own.items() if count},
            unreadable_suppressions=tally.unreadable_suppressions,
            forecast=forecast,
            calling_hours=calling_hours,
        )

    @property
    def rate_per_s(self) -> float:
        """Messages sent per second."""
        return self.asked / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, object]:
        """The summary as XCom and ``--json`` give it: counts alone, no row."""
        return {
            "campaign": self.campaign,
            "read": self.read,
            **self.counts,
            "asked": self.asked,
            "already": self.already,
            "seconds": round(self.seconds, 3),
            "rate_per_s": round(self.rate_per_s, 1),
            **({} if self.calling_hours is None else {"calling_hours": self.calling_hours}),
            **({"unreadable_suppressions": self.unreadable_suppressions} if self.unreadable_suppressions else {}),
            **({} if self.forecast is None else {"forecast": self.forecast.as_dict()}),
        }

    def reasons_of(self, state: str) -> str:
        """The commonest reasons of a state with their counts, which add up to the state's; empty: it has none."""
        counts = Counter({reason: count for (of, reason), count in self.reasons.items() if of == state})
        if not counts:
            return ""
        shown = counts.most_common(MAX_REASONS)
        parts = [f"{reason} ({count})" for reason, count in shown]
        others = len(counts) - len(shown)
        if others:
            rest = counts.total() - sum(count for _reason, count in shown)
            parts.append(f"{others} other {'reason' if others == 1 else 'reasons'} ({rest})")
        without = self.counts.get(state, 0) - counts.total()
        if without > 0:
            parts.append(f"no reason given ({without})")
        elif without < 0:  # a callback or a person moved them before the run ended
            parts.append(f"{-without} of them changed since")
        return "; ".join(parts)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        rows = "1 row" if self.read == 1 else f"{self.read} rows"
        unread = self.unreadable_suppressions
        left = f"; {unread} entries of the suppression list could not be read" if unread else ""
        return (
            f"campaign {self.campaign}: {rows} read{counts and ': '}{counts}; {self.asked} sent now and "
            f"{self.already} before; {self.seconds:.1f} s, {self.rate_per_s:.0f} requests/s{left}"
        )
