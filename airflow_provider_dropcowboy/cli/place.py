"""The place of a ledger, as people may see it."""

import sqlalchemy as sa


def shown(url: sa.URL) -> str:
    """A database's URL without user, password and options."""
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()
