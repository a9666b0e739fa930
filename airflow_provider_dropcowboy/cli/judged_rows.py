"""Rows of a dry run with what was said of them, in a file that the user named."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.preview import JudgedRow, Observer
from airflow_provider_dropcowboy.errors import ConfigurationError


@contextmanager
def rows_written(path: Path | None, plan: Plan) -> Iterator[Observer | None]:
    """Whoever calls the observer writes a line of JSON; None without a file.

    The file holds numbers in full, so a new one is readable by its owner alone.

    :raises ConfigurationError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"--rows-output: {path.name} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:

        def write(row: JudgedRow) -> None:
            message = row.message
            line = {
                "campaign": plan.campaign,
                "channel": plan.channel.value,
                "contact_key": row.contact_key,
                "phone_number": None if message is None else message.phone.e164,
                "foreign_id": None if message is None else message.foreign_id,
                "state": row.state.value,
                "reason": row.reason,
                "rule": None if message is None else message.rule,
                "opens_at": None if message is None or message.opens_at is None else message.opens_at.isoformat(),
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

        yield write
