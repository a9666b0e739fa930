"""A campaign that a person approves: counted first, then sent to a few, then to the rest."""

from datetime import timedelta
from typing import Any, Final

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

# All three tasks send, or count, one campaign: `rest` does not contact anybody again.
OFFER: Final[dict[str, Any]] = {
    "campaign": "{{ params.campaign }}",
    "sql": "SELECT contact_id, phone, postal_code, consented FROM due_today",
    "sql_conn_id": "warehouse",
    "key_column": "contact_id",
    "postal_code_column": "postal_code",
    "opt_in_column": "consented",
    "recording_id": "a0000000-0000-4000-8000-000000000001",  # one of your account; this is the sandbox's
}

with DAG(
    dag_id="approved_campaign",
    schedule=None,
    catchup=False,
    params={"campaign": Param("spring offer", type="string", minLength=1)},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    doc_md="""
    ### A dry run, an approval, twenty people, then everybody

    `count` screens every row and sends nothing. Under *Required Actions*, a person reads how many people would be
    called, where, when, and for how much, and approves or rejects. After a rejection nothing is sent. `first` sends to
    twenty people, so that a wrong recording reaches twenty and not all. If too many of its requests fail, `rest` does
    not begin. `rest` sends to the others: both tasks name the same campaign.

    Triggered again with the same `campaign`, it contacts only people it has not contacted.

    Needs the connections `dropcowboy_default` and `warehouse`.
    """,
) as dag:
    count = SendRvmOperator(task_id="count", dry_run=True, **OFFER)
    approve = ApprovalOperator(
        task_id="approve",
        subject="Send {{ params.campaign }}?",
        body="""
{% set count = ti.xcom_pull(task_ids="count") %}{% set plan = count["forecast"] -%}
{{ plan["sends"] }} voicemails from {{ plan["begins_at"] }} to {{ plan["ends_at"] }},
{% if plan["cost_usd"] is none %}at a cost that is not known: the connection has no price_rvm_usd.
{%- else %}for about {{ plan["cost_usd"] }} US dollars.{% endif %}

Of {{ count["read"] }} rows:

{% for state in ("ready", "held", "suppressed", "capped", "duplicate", "invalid") if state in count -%}
- {{ state }}: {{ count[state] }}
{% endfor %}
By state of the called party:

{% for place, states in plan["states"].items() -%}
- {{ place }}: {% for state, rows in states.items() %}{{ rows }} {{ state }}{{ "" if loop.last else ", " }}{% endfor %}
{% endfor %}""",
        response_timeout=timedelta(days=1),
    )
    first = SendRvmOperator(task_id="first", limit=20, on_held="leave", **OFFER)
    rest = SendRvmOperator(task_id="rest", **OFFER)

    count >> approve >> first >> rest
