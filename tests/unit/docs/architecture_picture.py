"""Draws ``docs/images/architecture.svg`` from the contract: ``python -m tests.unit.docs.architecture_picture``."""

from configparser import ConfigParser
from html import escape
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PICTURE: Final = ROOT / "docs" / "images" / "architecture.svg"

WIDTH: Final = 760
ROW: Final = 44
BOX: Final = 30
GAP: Final = 10
STYLE: Final = """
text { font: 14px sans-serif; text-anchor: middle; fill: #1b1f24 }
.note { font-size: 12px; text-anchor: start; fill: #57606a }
rect { fill: #eef2ff; stroke: #6366f1; rx: 6px }
path { stroke: #57606a; fill: none; marker-end: url(#tip) }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9198a1 } rect { fill: #1e2140 } path { stroke: #9198a1 }
}
"""


def layers() -> list[list[str]]:
    """The names of each layer of the contract, from the one that may import all others down."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = parser["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [line.replace("|", " ").replace(":", " ").split() for line in lines]


def picture() -> str:
    """The picture, as SVG."""
    rows = layers()
    height = ROW * len(rows) + GAP
    boxes = "".join(_row(names, GAP + ROW * n) for n, names in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="The layers of the package. Each imports only from layers below it.">\n'
        f"<style>{STYLE}</style>\n"
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8z" style="marker-end:none" fill="#57606a" stroke="none"/></marker>\n'
        f'<path d="M{WIDTH - 90} {GAP} V{height - GAP - 4}"/>\n'
        f'<text class="note" x="{WIDTH - 80}" y="{height / 2}">imports</text>\n'
        f"{boxes}</svg>\n"
    )


def _row(names: list[str], top: int) -> str:
    width = (WIDTH - 100 - GAP) / len(names) - GAP
    return "".join(
        f'<rect x="{GAP + n * (width + GAP):.0f}" y="{top}" width="{width:.0f}" height="{BOX}"/>'
        f'<text x="{GAP + n * (width + GAP) + width / 2:.0f}" y="{top + BOX - 10}">{escape(name)}</text>\n'
        for n, name in enumerate(names)
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
