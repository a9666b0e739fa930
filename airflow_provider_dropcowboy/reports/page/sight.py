"""What a person who looks at the page may see: the campaigns of the DAGs that the person may read."""

from typing import Protocol

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS


class Reader(Protocol):
    """A person who is logged in; asked anew for each page."""

    def may_see_dag(self, dag_id: str) -> bool:
        """Whether the person may read the runs of a DAG."""

    def may_see_others(self) -> bool:
        """Whether the person may see what no DAG has sent, but somebody at a shell."""


def is_visible(connection: sa.Connection, reader: Reader) -> sa.ColumnElement[bool]:
    """Whether a campaign had a run that the person may see."""
    dag_ids = connection.execute(sa.select(RUNS.c.dag_id).distinct()).scalars().all()
    seen = {dag_id for dag_id in dag_ids if (reader.may_see_others() if dag_id is None else reader.may_see_dag(dag_id))}
    if len(seen) == len(dag_ids):
        return sa.true()
    named = RUNS.c.dag_id.in_([dag_id for dag_id in seen if dag_id is not None])
    is_seen = sa.or_(named, RUNS.c.dag_id.is_(None)) if None in seen else named
    return CAMPAIGNS.c.id.in_(sa.select(RUNS.c.campaign_id).where(is_seen))
