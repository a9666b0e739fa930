"""One contact's message, as screening hands it on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_provider_dropcowboy.api.content import Channel, Content, channel_of
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One contact's message of one campaign.

    :param foreign_id: keyed digest of account, campaign, contact key and channel; the name of the send everywhere.
    :param earlier_ids: names under which it may have been sent before, when the account or the contact
        key was spelled in another way.
    :param number_digest: keyed digest of the number.
    :param content_digest: keyed digest of what is asked for: differs when text, brand, pool or recording differ.
    :param caps: most attempts on the number in a time, such as ``(3, timedelta(days=1))``, over all campaigns.
    :param closes_at: aware; no byte is written after it, since the calling hours end. None: they do not.
    :param stop: why it is not to be asked for in this run, as a verdict and its reason; None: it is. What was asked
        before stands all the same.
    :param opens_at: aware: when a stopped message may be asked for; None: nobody waits for it.
    :param places: whose calling hours a stopped message waits for: ``US-CA``.
    :param rule: by which it was screened, for an auditor.
    :param postal_code: of the contact: one of the places where the person may be.
    """

    foreign_id: str
    contact_key: str = field(repr=False)
    phone: Phone
    content: Content
    number_digest: str
    content_digest: str
    earlier_ids: tuple[str, ...] = ()
    caps: tuple[tuple[int, timedelta], ...] = ()
    closes_at: datetime | None = None
    stop: tuple[State, str] | None = None
    opens_at: datetime | None = None
    places: tuple[str, ...] = ()
    rule: str | None = None
    postal_code: str | None = field(default=None, repr=False)

    @property
    def channel(self) -> Channel:
        """The route it goes by."""
        return channel_of(self.content)
