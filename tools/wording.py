"""Prints how often the texts of the package use private words, and fails if one does: a part of `make docs`.

Counted are the texts that a user reads: errors, logs, reasons, help of commands and of arguments, and the pages. The
docstrings that make up the reference and the help of commands are counted as well. Words that the vendor wrote, and
texts that older ledgers hold, are not ours.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.readability import PRIVATE_WORDS

PACKAGE: Final = Path(__file__).parents[1] / "airflow_provider_dropcowboy"
READ_BY_USERS: Final = ("cli", "operators", "sensors", "notifications", "hooks")
"""Folders whose docstrings are help or reference."""


_CODE: Final = re.compile(r"`+[^`]+`+")
_STATEMENT: Final = re.compile(r"\s*(SELECT|UPDATE|INSERT|DELETE|WITH)\b")


def main() -> None:
    """Print the counts; exit with 1 if there is any use."""
    found = [use for path in sorted(PACKAGE.rglob("*")) for use in uses_in(path)]
    counts = Counter(word for _place, word, _text in found)
    print(", ".join(f"{word} {counts[word]}" for word in PRIVATE_WORDS))
    for place, word, text in found:
        print(f"  {place}: {word}: {text}")
    if found:
        sys.exit("Private words in texts that a user reads: say it in common words (docs/glossary.md).")


def uses_in(path: Path) -> Iterator[tuple[str, str, str]]:
    """Where the texts of a file use a private word: place, word, and text."""
    name = path.relative_to(PACKAGE)
    if "migrations" in name.parts:
        return
    if path.suffix == ".html":
        texts: Iterator[tuple[int, str]] = enumerate(re.sub(r"{[{%#].*?[%#}]}", "", path.read_text()).splitlines(), 1)
    elif path.suffix == ".py":
        texts = _texts(ast.parse(path.read_text()), with_docstrings=name.parts[0] in READ_BY_USERS)
    else:
        return
    for line, text in texts:
        for word in PRIVATE_WORDS:
            if re.search(rf"\b{word}\b", _CODE.sub("", text), re.IGNORECASE):
                yield f"{name}:{line}", word, " ".join(text.split())[:100]


def _texts(tree: ast.Module, *, with_docstrings: bool) -> Iterator[tuple[int, str]]:
    """The texts of a module with their lines; names of columns, arguments, and statements of SQL are none."""
    aside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for each in node.body:  # docstrings, also of values
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                    is_public = not getattr(node, "name", "").startswith("_") and each is node.body[0]
                    if not (with_docstrings and is_public):
                        aside.add(each.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part for part in node.values if isinstance(part, ast.Constant)]
            aside.update(parts)
            yield node.lineno, " … ".join(str(part.value) for part in parts)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in aside
            and " " in node.value.strip()
            and not _STATEMENT.match(node.value)
        ):
            yield node.lineno, node.value


if __name__ == "__main__":
    main()
