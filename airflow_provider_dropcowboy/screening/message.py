"""One contact's message."""

from dataclasses import dataclass, field

from airflow_provider_dropcowboy.api.content import Channel, Content, channel_of
from airflow_provider_dropcowboy.phone import Phone


@dataclass(frozen=True, slots=True, kw_only=True)
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
