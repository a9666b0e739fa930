"""One contact's message, with what is known of its person, and what screening says of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_provider_dropcowboy.api.content import Channel, Content, channel_of
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.screening.consent import NO_CONSENT, Kinds, Need
from airflow_provider_dropcowboy.states import State


@row_value(kw_only=True)
class Message:
    """One contact's message of one campaign.

    :param foreign_id: keyed digest of account, campaign, contact key and channel; the name of the send everywhere.
    :param earlier_ids: names under which it may have been sent before, when the account or the contact
        key was spelled in another way.
    :param number_digest: keyed digest of the number.
    :param content_digest: keyed digest of what is asked for: differs when text, brand, pool or recording differ.
    :param postal_code: of the contact: one of the places where the person may be.
    """

    foreign_id: str
    contact_key: str = field(repr=False)
    phone: Phone
    content: Content
    number_digest: str
    content_digest: str
    earlier_ids: tuple[str, ...] = ()
    postal_code: str | None = field(default=None, repr=False)

    @property
    def channel(self) -> Channel:
        """The route it goes by."""
        return channel_of(self.content)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a person may be called at a moment.

    :param is_open: somebody may be asked now, until ``closes_at``.
    :param closes_at: aware, UTC; nothing is written from then on. The margin is taken off. None: no end, or not open.
    :param opens_at: aware, UTC: the next opening; of open hours, the one after they close. None: none within
        two weeks, or unknown.
    :param is_banned: the law of a place forbids the message at any hour.
    :param needs: the consent that the laws of its places want; without it the message is forbidden at any hour.
    :param rule: for a person and an auditor: what it was judged by, and of which version.
    :param version: of the calling hours.
    :param caps: so many messages to one number within so long a time; those of all its places.
    """

    is_open: bool
    closes_at: datetime | None
    opens_at: datetime | None
    is_banned: bool
    rule: str
    caps: tuple[tuple[int, timedelta], ...] = ()
    needs: tuple[Need, ...] = ()
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    version: str = ""

    def is_open_at(self, at: datetime) -> bool:
        """Whether somebody may be called at a later moment; when it closed, nothing is known of what follows."""
        return self.is_open and (self.closes_at is None or at < self.closes_at)

    def rule_at(self, at: datetime) -> str:
        """The rule at a later moment."""
        return self.rule.replace("open:", "ended:", 1) if self.is_open and not self.is_open_at(at) else self.rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a row is not to be sent in this run; the next run screens the row anew.

    :param reason: one of a few, fit for counting, that a person understands.
    :param key: of the contact, where the row made no message.
    :param rule: of the law, that decided; None: the law did not.
    :param foreign_id: of the message that the row will make once it is corrected; None: it makes none of its own.
    :param number_digest: of the number of a row that makes no message; None: it cannot be read.
    :param opens_at: aware: when a held row may be sent; None: nobody waits for it.
    :param places: whose calling hours it waits for: ``US-CA``.
    """

    state: State
    reason: str
    key: str | None = field(default=None, repr=False)
    opens_at: datetime | None = None
    places: tuple[str, ...] = ()
    rule: str | None = None
    foreign_id: str | None = None
    number_digest: str | None = None


@row_value()
class Candidate:
    """A message, and what its row, the run's suppression list and the law say of its person.

    :param ruling: of the law of the person's places; None: calling hours are not kept.
    :param no_opt_in: the reason to give if the row lacks the opt-in that the task asks for; None: it does not.
    :param is_listed: the number is on the run's suppression list.
    :param consent: the kinds that the person gave; looked up only where a law wants one.
    """

    message: Message
    ruling: Ruling | None = None
    no_opt_in: str | None = None
    is_listed: bool = False
    consent: Kinds = NO_CONSENT

    @property
    def rule(self) -> str | None:
        """What it was screened by, for an auditor; None: by no law."""
        if self.ruling is None:
            return None
        if not self.ruling.needs:
            return self.ruling.rule
        return f"{self.ruling.rule}; consent: {', '.join(sorted(self.consent))}"
