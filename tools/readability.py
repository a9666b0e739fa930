"""Prints how readable README.md and docs/ are, and fails above the goals: a part of `make docs`.

Code, tables, headings, and lists of links are left out of the sentences. A piece of inline code counts as one word.
Private words are counted in tables and headings too, but not in code.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

CHANGELOG: Final = "docs/changelog.md"
"""It shows CHANGELOG.md, which is not measured."""

PRIVATE_WORDS: Final = ("asked", "taken", "told", "reckoned", "stand-in", "surely not", "one that")
USES_BEFORE: Final = (58, 48, 5, 2, 9, 19, 4)
BEFORE: Final = {"median sentence": 15, "nine of ten, at most": 28, "longest sentence": 61}
"""Commit 46e5744, in words, counted in the same way; ``USES_BEFORE`` too."""

GOALS: Final = {"median sentence": 13, "nine of ten, at most": 22, "longest sentence": 35}

SHORTEST: Final = 3  # words; less is no sentence

_FENCE: Final = re.compile(r"^ *```.*?^ *```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
_INLINE_CODE: Final = re.compile(r"`[^`]+`")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_LIST_ITEM: Final = re.compile(r"^(?:[-*]|\d+\.) +")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[\"'(*]*[A-Z0-9\x00])")
_CODE: Final = "\x00code"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a page, and how many words it has."""

    page: str
    text: str

    @property
    def words(self) -> int:
        return sum(any(letter.isalnum() for letter in word) for word in self.text.split())


def main() -> None:
    """Print the figures beside those of before and the goals; exit with 1 if a goal is missed."""
    root = Path(__file__).parents[1]
    every = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    pages = {str(page.relative_to(root)): page.read_text(encoding="utf-8") for page in every}
    del pages[CHANGELOG]
    found = [sentence for name, text in pages.items() for sentence in sentences(name, text)]
    now = figures(found)
    print(f"{'words':22}  46e5744   now  goal")
    for name, goal in GOALS.items():
        print(f"{name:22}  {BEFORE[name]:7}  {now[name]:4g}  {goal:4}")
    counted = {word: sum(uses(word, text) for text in pages.values()) for word in PRIVATE_WORDS}
    for (word, count), before in zip(counted.items(), USES_BEFORE, strict=True):
        print(f"{word:22}  {before:7}  {count:4}     0")
    longest = max(found, key=lambda sentence: sentence.words)
    print(f"the longest is in {longest.page}: {' '.join(longest.text.split()[:10]).replace(_CODE, '`…`')} …")
    if "--pages" in sys.argv:
        _print_pages(pages)
    if any(now[name] > goal for name, goal in GOALS.items()) or any(counted.values()):
        sys.exit("A goal is missed: `python -m tools.readability --pages` shows where.")


def figures(found: list[Sentence]) -> dict[str, float]:
    """Median, 90th percentile and maximum of the words in a sentence."""
    lengths = sorted(sentence.words for sentence in found) or [0]
    return dict(zip(GOALS, (median(lengths), lengths[(len(lengths) * 9 - 1) // 10], lengths[-1]), strict=True))


def sentences(page: str, text: str) -> Iterator[Sentence]:
    """The sentences of a page's paragraphs and list items."""
    for block in _blocks(_FENCE.sub("\n\n", text)):
        plain = _LINK.sub(r"\1", _INLINE_CODE.sub(_CODE, block))
        yield from (
            Sentence(page, part) for part in _SENTENCE_END.split(plain) if Sentence(page, part).words >= SHORTEST
        )


def uses(word: str, text: str) -> int:
    """How often a word stands in a page, code aside."""
    plain = _INLINE_CODE.sub(_CODE, re.sub(r"\]\([^)]*\)", "]", _FENCE.sub("", text)))
    return len(re.findall(rf"\b{word}\b", re.sub(r"\s+", " ", plain), re.IGNORECASE))


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        part = line.strip()
        is_aside = not part or part.startswith(("|", "#", ":::", "!["))
        if block and (is_aside or _LIST_ITEM.match(part)):
            if not block[0].startswith("- ["):  # a list of links
                yield _LIST_ITEM.sub("", " ".join(block))
            block = []
        if not is_aside:
            block.append(part)


def _print_pages(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        found = list(sentences(name, text))
        print(name, *(f"{figure:g}" for figure in figures(found).values()))
        for word in PRIVATE_WORDS:
            if count := uses(word, text):
                print(f"    {count} × {word}")
        for sentence in found:
            if sentence.words > GOALS["longest sentence"]:
                print(f"    {sentence.words}: {sentence.text.replace(_CODE, '`…`')}")


if __name__ == "__main__":
    main()
