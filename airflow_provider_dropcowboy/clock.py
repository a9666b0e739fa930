"""The process's wall clock, in one place. The ledger's instants come from the database's clock instead."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)
