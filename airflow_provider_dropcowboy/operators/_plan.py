"""From a task's arguments, its connection and its context to a plan of the core."""

from decimal import Decimal
from typing import TYPE_CHECKING

from airflow_provider_dropcowboy.operators._context import stale_from, who_runs

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
    from airflow_provider_dropcowboy.operators._send import SendOperator
    from airflow_provider_dropcowboy.operators._waves import Waves


def build_plan(
    task: "SendOperator",
    settings: "ConnectionSettings",
    template: "RvmTemplate | SmsTemplate",
    context: "Context",
    *,
    waves: "Waves",
) -> "Plan":
    """What the task is to do, checked; its arguments are rendered.

    :raises ConfigurationError: a value is wrong, or given neither by the task nor by the connection.
    """
    from airflow_provider_dropcowboy.campaign.identity import campaign_name
    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.contacts.mapping import ContactColumns
    from airflow_provider_dropcowboy.contacts.partition import Partition
    from airflow_provider_dropcowboy.hooks.calling_hours import calling_hours
    from airflow_provider_dropcowboy.operators._send import SendOperator

    ti = context["ti"]
    campaign = task.campaign
    if campaign is None:
        campaign = campaign_name(ti.dag_id, ti.task_id, logical_date=context.get("logical_date"), run_id=ti.run_id)
    about = f"{task._channel} {campaign.strip()}"
    return Plan(
        account=settings.account,
        campaign=campaign,
        template=template,
        columns=ContactColumns(
            key_column=task.key_column,
            phone_column=task.phone_column,
            postal_code_column=task.postal_code_column,
            region=task.region,
        ),
        partition=None if task.partition is None else Partition.parse(task.partition),
        opt_in_column=task.opt_in_column,
        callback_url=task.callback_url or settings.callback_url,
        callback_secret=settings.callback_secret,
        concurrency=task.concurrency,
        max_concurrency=settings.max_concurrency,
        rate_per_s=task.rate_per_s,
        timeout_s=settings.timeout_s,
        verify=settings.verify,
        claim_rules=_claim_rules(task, settings, template),
        caps=() if task.max_attempts is None else ((task.max_attempts, task.attempts_window),),
        max_reject_rate=task.max_reject_rate,
        max_unknown_rate=task.max_unknown_rate,
        hours=calling_hours(task.calling_hours, channel=task._channel.value, message_kind=task.message_kind),
        waits_until=waves.begun_at + task.wave_deadline if task.on_held == "wait" else None,
        earlier_runs=waves.run_ids,
        stale_from=None if waves.run_ids else stale_from(context),
        max_staleness=task.max_staleness,
        is_dry_run=task.is_dry_run,
        who=who_runs(task, context, kind=SendOperator, account=settings.account.name, name=about),
    )


def _claim_rules(
    task: "SendOperator", settings: "ConnectionSettings", template: "RvmTemplate | SmsTemplate"
) -> "ClaimRules":
    from airflow_provider_dropcowboy.campaign.compose import RvmTemplate
    from airflow_provider_dropcowboy.ledger.judgement import ClaimRules

    price_usd = settings.price_rvm_usd if isinstance(template, RvmTemplate) else settings.price_sms_usd
    return ClaimRules(
        resend_after=task.resend_after if task.on_unknown == "resend" else None,
        repeat_window=task.repeat_window,
        limit=task.limit,
        budget_micros=_micros(task.budget_usd),
        price_micros=_micros(price_usd),
    )


def _micros(amount_usd: float | Decimal | None) -> int | None:
    return None if amount_usd is None else int(Decimal(str(amount_usd)) * 1_000_000)
