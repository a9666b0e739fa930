"""The examples of the documentation: what stands between fences, and the commands within sentences."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
DOCS: Final = ROOT / "docs"

PROGRAM: Final = "dropcowboy"

_FENCED: Final = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(rf"`({PROGRAM} [^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Example:
    """A block of a page.

    :param place: page and line, for a person.
    :param language: as the fence says; empty: it says nothing.
    """

    place: str
    language: str
    text: str

    def commands(self) -> Iterator[list[str]]:
        """What is said to ``dropcowboy`` in each line that begins with it, also after a prompt.

        Two may share a line.
        """
        for line in self.text.replace("\\\n", " ").splitlines():
            for part in re.split(rf"\s{{2,}}(?={PROGRAM} )", line.strip().removeprefix("$ ").removesuffix("&")):
                if part.startswith(f"{PROGRAM} "):
                    words = shlex.split(part, comments=True)[1:]
                    yield list(takewhile(lambda word: not word.startswith((">", "2>")), words))  # where its output goes


def pages() -> list[Path]:
    """All of them, and the README."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def examples(language: str | None = None) -> list[Example]:
    """The blocks of all pages.

    :param language: only those in this one.
    """
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for block in _FENCED.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            example = Example(f"{page.relative_to(ROOT)}:{line}", block[1], block[2])
            if language in (None, example.language):
                found.append(example)
    return found


def mentions() -> list[tuple[str, str]]:
    """Each command within a sentence: page, and what stands between the backticks."""
    return [
        (str(page.relative_to(ROOT)), words)
        for page in pages()
        for words in _INLINE.findall(page.read_text(encoding="utf-8"))
    ]
