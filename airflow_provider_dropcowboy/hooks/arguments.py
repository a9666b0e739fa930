"""A task's arguments: from what Airflow hands over to checked values."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_dropcowboy.arguments import LATER, NOTHING, Arguments, wrong
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

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
    """Nothing, if no name is a misspelt argument. A name that resembles none is left for Airflow to refuse.

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


class ArgumentsMixin:
    """Operators, sensors and the notifier keep, render, check and read their arguments in this way."""

    _rendered_to_nothing: Collection[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        refuse_misspelt(type(self), kwargs)
        super().__init__(**kwargs)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Airflow's own, for mapped tasks."""
        refuse_misspelt(cls, kwargs)
        return super().partial(**kwargs)  # type: ignore[misc]  # of Airflow's class

    def _keep(self, given: Mapping[str, object]) -> None:
        """Store arguments as attributes.

        :param given: the ``locals()`` of an ``__init__``.
        """
        for name, value in given.items():
            if name not in {"self", "kwargs", "__class__"}:
                setattr(self, ATTRIBUTES.get(name, name), value)

    def _check(self, kind: type[Arguments]) -> None:
        """Check what is known of the arguments when the DAG is parsed.

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


def _is_lost(value: object, *, rendered: object) -> bool:
    """Whether there was a value, and rendering left none. Airflow 3.1 then leaves a notifier's template as it was."""
    if isinstance(rendered, str) and rendered:
        return rendered == value and _is_template(value)
    return rendered in ("", None) and value not in ("", None)


def _is_native(environment: "jinja2.Environment") -> bool:
    from jinja2.nativetypes import NativeEnvironment

    return isinstance(environment, NativeEnvironment)


def _text_environment(context: "Context", jinja_env: "jinja2.Environment") -> "jinja2.Environment":
    """The DAG's environment, with its filters and macros, that renders to text."""
    return context["dag"].get_template_env(force_sandboxed=True) if _is_native(jinja_env) else jinja_env
