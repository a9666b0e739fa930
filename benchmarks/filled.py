"""A ledger that has sent for a month: ``python -m benchmarks.filled --url sqlite:////tmp/a.db --sends 1000000``."""

import argparse
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS
from airflow_provider_dropcowboy.ledger.sends import day_of

ACCOUNT: Final = "bench-team@filled"
DAYS: Final = 30
LARGEST: Final = 1_000_000
"""Sends of the largest campaign; the others have a tenth of it."""
CHUNK: Final = 100_000

# Made by the database itself, in the order in which they would have come: claimed by the hundred thousand, and then
# settled, so that rows, indexes and free space lie as a month of campaigns leaves them.
_CLAIMED: Final = {
    "sqlite": """
        WITH RECURSIVE row(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n + 1 < :rows)
        INSERT INTO dropcowboy_sends (foreign_id, campaign_id, contact_key, phone_number, number_digest, owns_number,
            content_digest, state, attempt, claim_id, run_id, claimed_at, claimed_day)
        SELECT :prefix || lower(hex(randomblob(18))), :campaign_id, CAST(:first + n AS TEXT),
            '+1212' || (2000000 + (:first + n) % 8000000), lower(hex(randomblob(16))), 1, :content, 'claimed', 1,
            :claim_id, 1, :at, :day
        FROM row""",
    "postgresql": """
        INSERT INTO dropcowboy_sends (foreign_id, campaign_id, contact_key, phone_number, number_digest, owns_number,
            content_digest, state, attempt, claim_id, run_id, claimed_at, claimed_day)
        SELECT :prefix || left(md5(random()::text) || md5(random()::text), 36), :campaign_id,
            CAST(:first + n AS TEXT), '+1212' || (2000000 + (:first + n) % 8000000), md5(random()::text), true,
            :content, 'claimed', 1, :claim_id, 1, :at, :day
        FROM generate_series(0, :rows - 1) AS row(n)""",
}
_SETTLED: Final = """
    UPDATE dropcowboy_sends SET
        state = CASE CAST(contact_key AS INTEGER) % 20
            WHEN 0 THEN 'accepted' WHEN 1 THEN 'failed' WHEN 2 THEN 'rejected' ELSE 'delivered' END,
        reason = CASE CAST(contact_key AS INTEGER) % 20 WHEN 1 THEN 'busy' WHEN 2 THEN 'Invalid phone_number' END,
        answered_at = :at,
        final_at = CASE WHEN CAST(contact_key AS INTEGER) % 20 IN (0, 2) THEN NULL ELSE :final_at END,
        drop_id = number_digest, cost_micros = 4000, network = 'T-Mobile'
    WHERE claimed_day = :day AND claim_id = :claim_id"""


def fill(url: str | sa.URL, sends: int, account: str = ACCOUNT) -> None:
    """As many more sends in the ledger, over a month up to now, in campaigns of up to a million.

    :param sends: above ``CHUNK``, rounded down to whole ones.
    """
    ledger = open_ledger(url, may_create=True)
    claimed, settled = (
        sa.text(text).bindparams(*(sa.bindparam(name, type_=sa.DateTime(timezone=True)) for name in instants))
        for text, instants in ((_CLAIMED[ledger.engine.dialect.name], ["at"]), (_SETTLED, ["at", "final_at"]))
    )
    chunks = max(sends // CHUNK, 1)
    with ledger.reading() as connection:
        before: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(CAMPAIGNS.c.id), 0))).scalar_one()
    campaign_id, largest_chunks = 0, LARGEST // CHUNK
    for chunk in range(chunks):
        at = utcnow() - timedelta(days=DAYS) * (1 - (chunk + 1) / (chunks + 1))
        first = 0 if chunk >= largest_chunks else chunk * CHUNK
        with ledger.writing() as connection:
            if first == 0:
                campaign_id = before + 1 + max(chunk - largest_chunks + 1, 0)
                connection.execute(
                    CAMPAIGNS.insert().values(
                        id=campaign_id,
                        account=account,
                        name=f"filled {campaign_id:04d}",
                        channel="rvm",
                        prefix=f"{campaign_id:012x}",
                        created_at=at,
                    )
                )
            claim = {"at": at, "day": day_of(at), "claim_id": f"{chunk:016x}"}
            connection.execute(
                claimed,
                claim
                | {
                    "rows": min(CHUNK, sends),
                    "prefix": f"{campaign_id:012x}",
                    "campaign_id": campaign_id,
                    "first": first,
                    "content": "c" * 32,
                },
            )
        with ledger.writing() as connection:
            connection.execute(settled, claim | {"final_at": at + timedelta(seconds=20)})
    if ledger.engine.dialect.name == "postgresql":
        with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE dropcowboy_sends")  # as autovacuum has done after a month
            sequence = sa.func.pg_get_serial_sequence(CAMPAIGNS.name, "id")  # does not know of ids that are given
            connection.execute(sa.select(sa.func.setval(sequence, campaign_id)))
    ledger.engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--sends", type=int, required=True)
    options = parser.parse_args()
    fill(options.url, options.sends)
