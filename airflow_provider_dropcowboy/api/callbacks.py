"""What the vendor says about one send after it was accepted."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class DeliveryStatus(StrEnum):
    """How a send ended."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One result. Only ``status`` is always there; nothing in it is proven to be the vendor's.

    :param phone_number: as the vendor wrote it, normally E.164.
    :param reason: why it failed, in the vendor's words, without numbers and quoted values.
    :param dnc: the person asked not to be called again.
    :param cost_usd: product, compliance and text-to-speech fees together; None: it names no amount.
    :param raw: the payload as it came, with whatever else the vendor sent.
    """

    status: DeliveryStatus
    foreign_id: str | None = None
    drop_id: str | None = None
    phone_number: str | None = field(default=None, repr=False)
    attempt_at: datetime | None = None
    reason: str = ""
    reason_code: int | None = None
    dnc: bool = False
    spam: bool = False
    cost_usd: Decimal | None = None
    network_name: str | None = None
    network_type: str | None = None
    product_code: str | None = None
    raw: bytes = field(default=b"", repr=False)
