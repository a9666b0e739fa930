"""What the ledger would answer to the claims of a dry run; nothing is written, and nothing is locked."""

import secrets
from collections.abc import Mapping, Sequence

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.campaigns import (
    Allowance,
    Campaign,
    allowance_after,
    find_campaign,
    read_allowance,
)
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.judgement import (
    NO_RULES,
    ClaimRules,
    Judgement,
    Records,
    facts_of,
    read_records,
    sort_out,
)
from airflow_provider_dropcowboy.ledger.sends import Found, find_sends
from airflow_provider_dropcowboy.screening.screen import Candidate


class Foresight:
    """One campaign as a dry run goes through it. Pauses are not looked at.

    :ivar campaign: as the ledger knows it; caps and lists of other campaigns hold too for a campaign that never began.
    :ivar key: of the ledger.
    """

    def __init__(
        self, ledger: Ledger | None, account: str, *, name: str, channel: Channel, rules: ClaimRules = NO_RULES
    ) -> None:
        """:param ledger: None: an empty one."""
        known = ledger and find_campaign(ledger, account, name=name, channel=channel)
        self.campaign = known or Campaign(0, account, name, channel, "", True)
        self.key = ledger.key if ledger else secrets.token_bytes(32)
        self._ledger = ledger
        self._rules = rules
        self._foreseen = 0

    def sends(self, foreign_ids: Sequence[str]) -> dict[str, Found]:
        """The sends of these names that the ledger has."""
        return find_sends(self._ledger, foreign_ids) if self._ledger else {}

    def screen(
        self, candidates: Sequence[Candidate], *, met: Mapping[str, str] | None = None
    ) -> tuple[Judgement, list[Candidate]]:
        """What a claim would say of a batch now, and what it would claim.

        :param met: numbers of earlier batches: number digest to foreign_id; None: none.
        """
        judgement = Judgement()
        records = self._records(candidates, met=met or {})
        free = sort_out(candidates, records=records, rules=self._rules, judgement=judgement)
        self._foreseen += len(free)
        return judgement, [candidate for candidate, _row in free]

    def allowed(self) -> int | None:
        """Sends that limit and budget leave for later; None: any number."""
        allowance = self._allowance()
        return None if allowance is None else allowance.sends

    def _records(self, candidates: Sequence[Candidate], *, met: Mapping[str, str]) -> Records:
        if self._ledger is None:
            facts = facts_of(self._rules, self._allowance(), at=utcnow(), campaign_id=self.campaign.id)
            facts.owners = dict(met)
            return Records(facts=facts)
        with self._ledger.reading() as connection:
            return read_records(
                connection,
                self.campaign,
                candidates=candidates,
                rules=self._rules,
                met=met,
                at=now(connection),
                foreseen=self._foreseen,
            )

    def _allowance(self) -> Allowance | None:
        if self._ledger is None:
            return allowance_after(self._foreseen, **self._rules.limits)
        with self._ledger.reading() as connection:
            return read_allowance(connection, self.campaign, foreseen=self._foreseen, **self._rules.limits)
