"""What ``.partial(…)`` of our operators stands for until it is expanded, and which names of a campaign are refused."""

import re
from typing import Final

from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.arguments import refuse_misspelt

_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNSTABLE: Final = re.compile(
    r"\b(_?try_number|next_try_number|prev_attempted_tries|job_id|pid|hostname|log_url|clear_number|queued_at)\b"
    r"|\b(?:ti|task_instance)\.(?:id|start_date|end_date|duration|queued_dttm)\b|\bdag_run\.(?:start_date|end_date|id)\b"
    r"|\b(?:now|utcnow|today|time|time_ns|uuid1|uuid4|random|randint|choice)\("
    r"|\|\s*random\b|macros\.(?:uuid|random)"
)


def refuse_unstable_campaign(campaign: object) -> None:
    """Nothing, if a template of a campaign's name can be the same in every try of a run.

    :raises ConfigurationError: it has a part that changes with each try: each would contact everybody again.
    """
    if not isinstance(campaign, str):
        return
    for expression in _EXPRESSION.findall(campaign):
        if found := _UNSTABLE.search(expression):
            part = found[0].rstrip("(")
            raise ConfigurationError(
                f"campaign has {part} in its template, which differs when the task runs again. Each try would be a "
                "campaign of its own, and would contact everybody again. Use {{ ds }} or {{ run_id }}, or leave "
                "campaign out."
            )


class SendPartial(OperatorPartial):
    """Airflow's own, but every result of an upstream task gets its edge.

    Airflow gives edges to template fields alone. ``contacts`` is none, so that no row is rendered and shown, and
    ``dry_run`` is kept under another name. Without the edge the mapped tasks would start before the result is there.
    """

    @classmethod
    def of(cls, made: OperatorPartial) -> "SendPartial":
        """The same arguments; ``made`` is not to be expanded any more."""
        made._expand_called = True  # else it warns that it was never mapped
        return cls(operator_class=made.operator_class, kwargs=made.kwargs, params=made.params)

    def expand(self, **mapped_kwargs: object) -> MappedOperator:
        """A mapped task, as Airflow's ``expand`` makes it."""
        self._expand_called = True  # else what is refused here warns that it was never mapped
        refuse_misspelt(self.operator_class, mapped_kwargs)
        return self._after_its_sources(super().expand(**mapped_kwargs))  # type: ignore[arg-type]  # Airflow checks them

    def expand_kwargs(self, kwargs: object, *, strict: bool = True) -> MappedOperator:
        """A mapped task, as Airflow's ``expand_kwargs`` makes it."""
        return self._after_its_sources(super().expand_kwargs(kwargs, strict=strict))  # type: ignore[arg-type]  # as above

    def _after_its_sources(self, mapped: MappedOperator) -> MappedOperator:
        for value in self.kwargs.values():
            XComArg.apply_upstream_relationship(mapped, value)
        return mapped
