"""The arguments of tasks: how they are kept, rendered, resolved, mapped and checked."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.arguments import LATER, NOTHING, Arguments, wrong
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseOperator, Context

A = TypeVar("A", bound=Arguments)

ATTRIBUTES: Final = {"dry_run": "is_dry_run"}
"""An argument's attribute, where it has another name: ``BaseOperator.dry_run`` is a method."""

NO_TEMPLATES: Final = frozenset({"contacts", "sql_hook_params"})
"""Not rendered, so that no row is shown as a rendered field; an upstream task's result is resolved all the same."""

NATIVE: Final = frozenset({"parameters"})
"""Rendered to any type in a DAG with ``render_template_as_native_obj``: a query's parameters have their own types."""


def template_fields_of(init: Callable[..., None]) -> tuple[str, ...]:
    """The template fields of a class: all keyword arguments of its ``__init__`` but ``NO_TEMPLATES``."""
    parameters = inspect.signature(init).parameters.values()
    names = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
    return tuple(ATTRIBUTES.get(name, name) for name in names if name not in NO_TEMPLATES)


def is_deferrable(given: bool | None) -> bool:
    """Whether a sensor waits in the triggerer; None: as Airflow's ``[operators] default_deferrable`` says."""
    if given is not None:
        return given
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def refuse_misspelt(kind: type, names: Iterable[str]) -> None:
    """Refuse a misspelt argument. Airflow itself refuses names that resemble none.

    :param kind: of the operator, sensor or notifier.
    :raises ConfigurationError: says which name was meant.
    """
    known = _arguments_of(kind)
    for name in names:
        if (
            name not in known
            and not name.startswith("_")
            and (meant := get_close_matches(name, known, n=1, cutoff=0.7))
        ):
            raise ConfigurationError(f"{kind.__name__} has no argument {name}. Did you mean {meant[0]}?")


@cache
def _arguments_of(kind: type) -> frozenset[str]:
    """The names of all arguments, Airflow's own too."""
    return frozenset(
        name
        for each in kind.__mro__
        if "__init__" in vars(each)
        for name, item in inspect.signature(vars(each)["__init__"]).parameters.items()
        if item.kind not in {item.VAR_KEYWORD, item.VAR_POSITIONAL} and name != "self"
    )


def refuse_unstable_campaign(campaign: object) -> None:
    """Refuse a campaign's name with a part that changes in each try: each try would contact everybody again.

    :raises ConfigurationError: names the part.
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


class ArgumentsMixin:
    """What operators, sensors and the notifier do with their arguments: keep, check, render and read them."""

    _rendered_to_nothing: Collection[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        refuse_misspelt(type(self), kwargs)
        super().__init__(**kwargs)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Arguments that all mapped tasks share; ``.expand(…)`` gives those that differ."""
        refuse_misspelt(cls, kwargs)
        return EdgedPartial.of(super().partial(**kwargs))  # type: ignore[misc]  # of Airflow's class

    def _keep(self, given: Mapping[str, object]) -> None:
        """Store arguments as attributes. The results of upstream tasks among them get their edges.

        :param given: the ``locals()`` of an ``__init__``.
        """
        for name, value in given.items():
            if name not in {"self", "kwargs", "__class__"}:
                setattr(self, ATTRIBUTES.get(name, name), value)
            if name in NO_TEMPLATES and isinstance(value, XComArg):  # Airflow does it for template fields alone
                XComArg.apply_upstream_relationship(cast("BaseOperator", self), value)

    def _check(self, kind: type[Arguments]) -> None:
        """Check the arguments that are known when the DAG is parsed.

        :raises ConfigurationError: names the argument and says what to write.
        """
        given = self._given(kind)
        for name in NO_TEMPLATES & given.keys():
            if _is_template(given[name]):
                raise wrong(
                    name, "is a template, and is not rendered", "Write the value, or an upstream task's result."
                )
        try:
            kind.check({name: LATER if _is_later(name, value) else value for name, value in given.items()})
        except ConfigurationError as error:  # a DAG is parsed: nobody thinks that anything was sent
            raise type(error)(str(error).replace(" Nothing was sent.", "")) from None

    def _read(self, kind: type[A], context: "Context") -> A:
        """The arguments, rendered, resolved and checked.

        :raises ConfigurationError: names the argument and says what to write.
        """
        given = self._given(kind)
        for name, value in given.items():
            if _is_reference(value):
                given[name] = value.resolve(context)
            is_lost = given[name] is None and value is not None
            if is_lost or ATTRIBUTES.get(name, name) in self._rendered_to_nothing:
                given[name] = NOTHING
        return kind.read(given)

    def _given(self, kind: type[Arguments]) -> dict[str, Any]:
        given = {item.name: getattr(self, ATTRIBUTES.get(item.name, item.name)) for item in kind.declared()}
        return {name: value for name, value in given.items() if type(value).__name__ != "ArgNotSet"}

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: "Context",
        jinja_env: "jinja2.Environment",
        seen_oids: set[int],
    ) -> None:
        """Render text to text, whatever the DAG says.

        A DAG with ``render_template_as_native_obj`` evaluates each rendered text, also one without a template in it:
        ``+15045550100`` and ``20261128`` become numbers, and ``1e5`` and ``1_000`` lose what was written.
        """
        names = list(template_fields)
        native, texts = [name for name in names if name in NATIVE], [name for name in names if name not in NATIVE]
        before = {name: getattr(parent, name) for name in texts}
        render: Callable[..., None] = super()._do_render_template_fields  # type: ignore[misc]  # of Airflow's class
        render(parent, native, context, jinja_env, seen_oids)
        render(parent, texts, context, _text_environment(context, jinja_env), seen_oids)
        self._rendered_to_nothing = {
            name
            for name, value in before.items()
            if (value is not None and value != "" and getattr(parent, name) in ("", None))
            or (_is_template(value) and getattr(parent, name) == value)
        }

    def _render(self, template: "jinja2.Template", context: "Context", dag: Any = None) -> Any:
        if _is_native(template.environment):
            return super()._render(template, context, dag)  # type: ignore[misc]  # of Airflow's class
        return template.render(context)


class EdgedPartial(OperatorPartial):
    """What ``.partial(…)`` returns: Airflow's own, but every result of an upstream task gets its edge.

    Airflow gives edges to template fields alone. ``contacts`` is none, so that no row is rendered and shown, and
    ``dry_run`` is kept under another name. Without the edge the mapped tasks would start before the result is there.
    """

    @classmethod
    def of(cls, made: OperatorPartial) -> "EdgedPartial":
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


def _is_later(name: str, value: object) -> bool:
    """Whether the value is known only when the task starts."""
    is_made_then = callable(value) and name not in NO_TEMPLATES  # Airflow calls a template field's function
    parts = value if isinstance(value, list | tuple) else (value,)
    return is_made_then or any(_is_reference(part) or _is_template(part) for part in parts)


def _is_reference(value: object) -> bool:
    """Whether Airflow resolves the value: an XComArg, a mapped argument, a parameter of the DAG."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def _is_template(value: object) -> bool:
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))


def _is_native(environment: "jinja2.Environment") -> bool:
    from jinja2.nativetypes import NativeEnvironment

    return isinstance(environment, NativeEnvironment)


def _text_environment(context: "Context", jinja_env: "jinja2.Environment") -> "jinja2.Environment":
    """The DAG's environment, with its filters and macros, that renders to text."""
    return context["dag"].get_template_env(force_sandboxed=True) if _is_native(jinja_env) else jinja_env


_EXPRESSION: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNSTABLE: Final = re.compile(
    r"\b(_?try_number|next_try_number|prev_attempted_tries|job_id|pid|hostname|log_url|clear_number|queued_at)\b"
    r"|\b(?:ti|task_instance)\.(?:id|start_date|end_date|duration|queued_dttm)\b|\bdag_run\.(?:start_date|end_date|id)\b"
    r"|\b(?:now|utcnow|today|time|time_ns|uuid1|uuid4|random|randint|choice)\("
    r"|\|\s*random\b|macros\.(?:uuid|random)"
)
