"""What ``.partial(contacts=…)`` of a send operator stands for until it is expanded."""

from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg


class SendPartial(OperatorPartial):
    """Airflow's own, but ``contacts`` of a task before gets its upstream edge.

    Airflow gives edges to template fields alone, and ``contacts`` is none, so that no row is rendered and shown.
    Without the edge the mapped tasks would start before the contacts are there.
    """

    @classmethod
    def of(cls, made: OperatorPartial) -> "SendPartial":
        """The same arguments; ``made`` is not to be expanded any more."""
        made._expand_called = True  # else it warns that it was never mapped
        return cls(operator_class=made.operator_class, kwargs=made.kwargs, params=made.params)

    def expand(self, **mapped_kwargs: object) -> MappedOperator:
        """A mapped task, as Airflow's ``expand`` makes it."""
        return self._after_contacts(super().expand(**mapped_kwargs))  # type: ignore[arg-type]  # Airflow checks them

    def expand_kwargs(self, kwargs: object, *, strict: bool = True) -> MappedOperator:
        """A mapped task, as Airflow's ``expand_kwargs`` makes it."""
        return self._after_contacts(super().expand_kwargs(kwargs, strict=strict))  # type: ignore[arg-type]  # as above

    def _after_contacts(self, mapped: MappedOperator) -> MappedOperator:
        XComArg.apply_upstream_relationship(mapped, self.kwargs.get("contacts"))
        return mapped
