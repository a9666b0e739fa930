"""What ``.partial(…)`` of our operators stands for until it is expanded."""

from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg


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
        return self._after_its_sources(super().expand(**mapped_kwargs))  # type: ignore[arg-type]  # Airflow checks them

    def expand_kwargs(self, kwargs: object, *, strict: bool = True) -> MappedOperator:
        """A mapped task, as Airflow's ``expand_kwargs`` makes it."""
        return self._after_its_sources(super().expand_kwargs(kwargs, strict=strict))  # type: ignore[arg-type]  # as above

    def _after_its_sources(self, mapped: MappedOperator) -> MappedOperator:
        for value in self.kwargs.values():
            XComArg.apply_upstream_relationship(mapped, value)
        return mapped
