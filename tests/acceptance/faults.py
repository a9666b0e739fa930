"""Everything that goes wrong between us and the vendor, all at once."""

from typing import Any, Final

from airflow_provider_dropcowboy.sandbox.faults import FAULT_KINDS

_STOP_A_RUN: Final = frozenset({"unauthorized", "payment_required", "forbidden", "not_found_html"})
_SHARE: Final = 0.004
_SHARES: Final = {
    "lose_answer": 0.02,
    # a 429 slows the whole run down
    "429": 0.003,
    "429_seconds": 0.003,
    "429_date": 0.003,
}
_DELAYS_S: Final = {"slow": 0.3, "close_idle": 0.01}

EVERY_FAULT: Final[list[dict[str, Any]]] = [
    {
        "name": name,
        "share": _SHARES.get(name, _SHARE),
        **({"delay_s": _DELAYS_S[name]} if name in _DELAYS_S else {}),
    }
    for name in FAULT_KINDS
    if name not in _STOP_A_RUN
]
"""Each for a share of the sends; but for those that say that no request will ever be taken, which stop a run."""
