"""Prints how often the package and its example DAGs use private words, and fails if they do: a part of `make docs`.

Counted are all texts for people: errors, logs, reasons, help, pages, docstrings and comments. Words that the vendor
wrote, and texts that older ledgers hold, are not ours.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from tools.readability import PRIVATE_WORDS

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("airflow_provider_dropcowboy", "dags")

_NAMES: Final = re.compile(r"`+[^`]+`+|:(?:param|ivar) \w+:")
_STATEMENT: Final = re.compile(r"\s*(SELECT|UPDATE|INSERT|DELETE|WITH)\b")


def main() -> None:
    """Print the counts; exit with 1 if there is any use."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    found = [use for path in paths for use in uses_in(path)]
    counts = Counter(word for _place, word, _text in found)
    print(", ".join(f"{word} {counts[word]}" for word in PRIVATE_WORDS))
    for place, word, text in found:
        print(f"  {place}: {word}: {text}")
    if found:
        sys.exit("Private words in the package: say it in common words (docs/glossary.md).")


def uses_in(path: Path) -> Iterator[tuple[str, str, str]]:
    """Where the texts of a file use a private word: place, word, and text."""
    name = path.relative_to(ROOT)
    if "migrations" in name.parts:
        return
    if path.suffix == ".html":
        texts: Iterator[tuple[int, str]] = enumerate(re.sub(r"{[{%#].*?[%#}]}", "", path.read_text()).splitlines(), 1)
    elif path.suffix == ".py":
        texts = _texts(path.read_text())
    else:
        return
    for line, text in texts:
        plain = " ".join(_NAMES.sub("", text).split())
        for word in PRIVATE_WORDS:
            for use in re.finditer(rf"\b{word}\b", plain, re.IGNORECASE):
                yield f"{name}:{line}", word, plain[max(0, use.start() - 50) : use.end() + 50]


def _texts(source: str) -> Iterator[tuple[int, str]]:
    """Comments and texts with their lines; names of columns, arguments, and statements of SQL are none."""
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    ]
    for _block, numbered in groupby(enumerate(comments), key=lambda item: item[1].start[0] - item[0]):
        lines = [token for _index, token in numbered]  # one comment, of several lines
        yield lines[0].start[0], " ".join(token.string.lstrip("#: ") for token in lines)
    tree = ast.parse(source)
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, " … ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in parts
            and " " in node.value.strip()
            and not _STATEMENT.match(node.value)
        ):
            yield node.lineno, node.value


if __name__ == "__main__":
    main()
