"""Each error text that the troubleshooting page quotes is a text of the code."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

import airflow_provider_dropcowboy
from tests.unit.docs.examples import DOCS

PACKAGE: Final = Path(airflow_provider_dropcowboy.__file__).parent


def quoted() -> list[str]:
    """What the first column of a table, or a sentence about the log, quotes."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    rest = "\n".join(line for line in text.splitlines() if not line.startswith("|"))
    said = re.findall(r"`([^`]+)`", "\n".join(cells))
    said += re.findall(r"`([A-Z][^`\n]+|in doubt: |rows are [^`\n]+)`", rest)
    return [part for part in said if " " in part]


def texts_of_the_code() -> str:
    """All literal texts of the package; a value that is filled in is one sign."""
    found: list[str] = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\x00" for part in node.values)
                found.append("".join(map(str, parts)))
    return "\n".join(found)


CODE: Final = texts_of_the_code()


@pytest.mark.parametrize("text", quoted())
def test_a_quoted_error_is_a_text_of_the_code(text: str) -> None:
    assert text in CODE
