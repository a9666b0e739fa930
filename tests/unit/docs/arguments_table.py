"""``docs/reference/arguments.md``, drawn from the code: ``python -m tests.unit.docs.arguments_table`` writes it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.arguments import Argument, Arguments
from airflow_provider_dropcowboy.campaign.arguments import SendArguments
from airflow_provider_dropcowboy.campaign.channels import AlertArguments, RvmArguments, SmsArguments
from airflow_provider_dropcowboy.hooks.arguments import NO_TEMPLATES
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.operators.deliveries import ExportArguments
from airflow_provider_dropcowboy.sensors.contact_list import ListSensorArguments
from airflow_provider_dropcowboy.sensors.delivery import DeliverySensorArguments

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "arguments.md"

INTRODUCTION: Final = """# Arguments

Every argument of every task, with its default. Airflow's own arguments, such as `retries` and `pool`, apply as well.

Every argument is a template, except `contacts` and `sql_hook_params`. A template of a truth value renders to `true` or
`false`, one of a time to `2d`, `12h` or `30m`. Any argument, `contacts` too, may be an upstream task's result, a mapped
value or a parameter of the DAG.

Text stays the text that was written, also in a DAG with `render_template_as_native_obj=True`. Only `parameters` of a
query get the types that such a DAG gives them.

Values that are known when the DAG is parsed are checked then. All others are checked when the task starts, before the
source is read. A template that renders to nothing is refused.
"""

SECTIONS: Final[tuple[tuple[str, type[Arguments], type[Arguments] | None], ...]] = (
    ("Both send operators", SendArguments, None),
    ("SendRvmOperator", RvmArguments, SendArguments),
    ("SendSmsOperator", SmsArguments, SendArguments),
    ("SyncContactListOperator", ListArguments, None),
    ("ExportDeliveriesOperator", ExportArguments, None),
    ("DropCowboyDeliverySensor", DeliverySensorArguments, None),
    ("DropCowboyContactListSensor", ListSensorArguments, None),
    ("DropCowboyNotifier", AlertArguments, None),
)


def page() -> str:
    """All tables."""
    return INTRODUCTION + "".join(_section(*section) for section in SECTIONS)


def _section(title: str, kind: type[Arguments], base: type[Arguments] | None) -> str:
    known = {item.name for item in base.declared()} if base else set()
    rows = [_row(item) for item in kind.declared() if item.name not in known]
    beside = "\nBeside those of both send operators:\n" if base else ""
    return "\n".join(["", f"## {title}", beside, "| argument | default | meaning |", "|---|---|---|", *rows, ""])


def _row(item: Argument) -> str:
    meaning = " ".join([item.doc, *_choices(item)])
    if item.name in NO_TEMPLATES:
        meaning += " No template."
    return f"| `{item.name}` | {_default(item)} | {meaning} |"


def _choices(item: Argument) -> Iterator[str]:
    if not all(f"`{choice}`" in item.doc for choice in item.kind.choices):
        yield "One of " + ", ".join(f"`{choice}`" for choice in item.kind.choices) + "."


def _default(item: Argument) -> str:
    if item.default is None or item.default == "":
        return ""
    if isinstance(item.default, timedelta):
        hours = item.default // timedelta(hours=1)
        return f"{hours // 24} d" if hours % 24 == 0 and hours > 24 else f"{hours} h"
    return f"`{item.default}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
