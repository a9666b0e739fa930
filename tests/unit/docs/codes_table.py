"""The codes in ``docs/api-v2.md``, drawn from the code: ``python -m tests.unit.docs.codes_table`` writes them."""

from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.api.v2.vendor import CODES
from tests.unit.docs.answers_table import BEGIN, END

PAGE: Final = Path(__file__).parents[3] / "docs" / "api-v2.md"


def page() -> str:
    """The page with the table as the code draws it now."""
    lines = ["| code | meaning | the send is | what to do |", "|---|---|---|---|"]
    for number, code in sorted(CODES.items()):
        remedy = "The number is suppressed from now on." if code.suppresses else code.remedy
        lines.append(f"| {number} | {code.meaning} | {code.result} | {remedy} |")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    table = "\n".join(lines)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
