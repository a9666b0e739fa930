"""How long a claim binds."""

from datetime import timedelta
from typing import Final

LEASE: Final = timedelta(minutes=15)
"""How long a claim lets its owner write: from before the commit, by the owner's wall clock and boot clock (``Clock``),
whichever ends it first."""
DOUBT_LASTS: Final = LEASE + timedelta(hours=1)
"""So long after a claim nobody else settles or resends it: its owner may still write, and what is written can still sit
in a queue on the vendor's side."""
