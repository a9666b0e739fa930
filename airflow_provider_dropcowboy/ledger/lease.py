"""How long a claim binds."""

from datetime import timedelta
from typing import Final

LEASE: Final = timedelta(minutes=15)
"""How long a claim lets its owner write, by the owner's monotonic clock from before the commit."""
DOUBT_LASTS: Final = LEASE + timedelta(hours=1)
"""So long after a claim nobody else settles or resends it: its owner may still write, and what is written can still sit
in a queue on the vendor's side."""
