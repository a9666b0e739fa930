"""What a campaign and a message are called, so that running again finds the same names."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.contacts.key import other_notations, same_person
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.digest import (
    DIGEST_CHARACTERS,
    FOREIGN_ID_CHARACTERS,
    PREFIX_CHARACTERS,
    digest,
    framed,
    framed_text,
    number_digest,
)
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import hmac_sha256

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.campaigns import Campaign

MAX_CAMPAIGN_CHARACTERS: Final = 250  # Airflow's own limit for the ids it is made of


def campaign_name(dag_id: str, task_id: str, *, logical_date: datetime | None, run_id: str) -> str:
    """The default name: schedule, retry, clear and backfill of one date agree on it. A long one ends in a digest.

    :param logical_date: aware; None for manual and asset-triggered runs, which are a campaign each, by their run id.
    """
    run = logical_date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if logical_date is not None else run_id
    return _shortened(f"{dag_id}.{task_id}@{run}")


def alert_name(dag_id: str, run_id: str, *, task_id: str | None, kind: str) -> str:
    """The name of a text about an event: the same however often the event is reported.

    :param task_id: None: the event is the whole run's.
    :param kind: what happened, such as ``failed``.
    """
    what = dag_id if task_id is None else f"{dag_id}.{task_id}"
    return _shortened(f"alert {kind}: {what}@{run_id}")


def _shortened(name: str) -> str:
    if len(name) <= MAX_CAMPAIGN_CHARACTERS:
        return name
    rest = hashlib.sha256(name.encode()).hexdigest()[:16]  # so that two long names that begin alike stay two
    return f"{name[: MAX_CAMPAIGN_CHARACTERS - len(rest) - 1]}~{rest}"


def check_campaign_name(name: str) -> str:
    """The name, stripped.

    :raises ConfigurationError: empty, the text of a missing value, or too long.
    """
    name = name.strip()
    if not name or name in {"None", "null"}:
        raise ConfigurationError(
            f"campaign={name!r} is not a campaign name. Nothing was sent. A template that renders to nothing is the "
            f"usual cause. Write 1 to {MAX_CAMPAIGN_CHARACTERS} characters."
        )
    if len(name) > MAX_CAMPAIGN_CHARACTERS:
        raise ConfigurationError(
            f"campaign has {len(name)} characters, and {MAX_CAMPAIGN_CHARACTERS} are the most: {name[:60]!r}… Nothing "
            "was sent. Write a shorter one."
        )
    return name


@dataclass(frozen=True, slots=True)
class Identity:
    """Names the messages of one campaign.

    :param key: of the ledger: without it nobody can guess a name or try out numbers.
    """

    key: bytes = field(repr=False)
    account: str
    campaign: str
    channel: Channel
    earlier: tuple["Identity", ...] = ()
    """Of the same campaign, with the account spelled in other ways."""
    prefix: str = field(init=False)
    """How every foreign_id of the campaign begins, so that its rows lie together in the ledger."""
    _send: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = (self.account, self.campaign, self.channel)
        object.__setattr__(self, "prefix", digest(self.key, "campaign", *names)[:PREFIX_CHARACTERS])
        object.__setattr__(self, "_send", framed("send", *names))  # once, and not for every contact

    @classmethod
    def of(cls, key: bytes, campaign: "Campaign") -> "Identity":
        """Of a campaign that the ledger knows, whose foreign_ids may spell the account in an older way."""
        earlier = tuple(cls.of(key, each) for each in campaign.earlier)
        return cls(key, campaign.digest_account or campaign.account, campaign.name, campaign.channel, earlier)

    def earlier_ids(self, contact_key: str) -> tuple[str, ...]:
        """Other names of the contact's message, by which it may have been sent before.

        Older releases named it by the contact key as the source wrote it, and so does a ledger that they wrote.
        """
        others = other_notations(contact_key)
        if not others and not self.earlier:
            return ()
        texts = (same_person(contact_key), *others)
        return tuple(self._name(text) for text in others) + tuple(
            each._name(text) for each in self.earlier for text in texts
        )

    def names(self, contact_key: str) -> tuple[str, ...]:
        """All names by which the contact's message may be in the ledger; the first is the one it gets now."""
        return (self.foreign_id(contact_key), *self.earlier_ids(contact_key))

    def foreign_id(self, contact_key: str) -> str:
        """The name of the contact's message: the same in every run and notation of the key, no personal data in it."""
        return self._name(same_person(contact_key))

    def _name(self, text: str) -> str:
        name = hmac_sha256(self.key, self._send + framed_text(text))
        return self.prefix + name[: FOREIGN_ID_CHARACTERS - PREFIX_CHARACTERS]

    def number_digest(self, phone: Phone) -> str:
        """The number's name over all campaigns of the ledger."""
        return number_digest(self.key, phone)

    def content_digest(
        self, same: bytes, *, text: str | None, postal_code: str | None, contact_id: str | None = None
    ) -> str:
        """Differs when what is asked for differs: brand, recording, text, pool, the vendor's contact.

        :param same: of ``framed_content``.
        """
        content = same + framed_text(text or "") + framed_text(postal_code or "")
        if contact_id is not None:  # a message without one keeps the digest that it always had
            content += framed_text(contact_id)
        return hmac_sha256(self.key, content)[:DIGEST_CHARACTERS]


def framed_content(fields: Mapping[str, object]) -> bytes:
    """What all messages of a run share, as it is the same in every run; how their content digests begin."""
    return framed("content", json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")))
