"""The versions of the API, and the one place that chooses between them."""

from collections.abc import Mapping
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.api.v2.vendor import V2
from airflow_provider_dropcowboy.api.vendor import Vendor

VENDORS: Final[Mapping[str, Vendor]] = {vendor.version: vendor for vendor in (V1(), V2())}
DEFAULT: Final = VENDORS["v1"]
"""Of a connection that names none."""


KEYED: Final = VENDORS["v2"]
"""Of a send whose request had an idempotency key."""


def vendor_of(account: Account) -> Vendor:
    """The version of the API that an account's connection names."""
    return VENDORS[account.api_version]
