"""Prints how large the package is and how entangled: `make house`. Reads the source; imports none of it."""

import argparse
import ast
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

PACKAGE = "airflow_provider_dropcowboy"
SMALL_LINES = 70
LONG_LINES = 300
GOALS = {
    "non-empty modules": 150,
    "lines": 20_500,
    f"modules under {SMALL_LINES} lines with one importer": 5,
    "import lines": 1_500,
    "circles of imports, type-only ones too": 0,
    "places where one argument of a send is written, at most": 3,
    "modules of ours that the widest module of campaign/ imports": 14,
    f"files over {LONG_LINES} lines": 0,
}


def main() -> None:
    """Print the figures of the working tree, those of ``--against``, and the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default="46e5744", help="a commit to compare with")
    commit = parser.parse_args().against
    now = figures(Path(PACKAGE))
    try:
        before = _figures_of_commit(commit)
    except subprocess.CalledProcessError:
        sys.exit(f"No commit {commit} in this clone. Name another with --against.")
    width = max(map(len, GOALS))
    print(f"{'':{width}}  {commit:>8}  {'now':>7}  {'goal':>7}")
    for name, goal in GOALS.items():
        mark = " " if now[name] <= goal else "✗"
        print(f"{name:{width}}  {before[name]:>8,}  {now[name]:>7,}  {goal:>7,} {mark}")


def figures(package: Path) -> dict[str, int]:
    """Measure one tree.

    :param package: folder of the package.
    :returns: a figure for each name in ``GOALS``.
    """
    sources = {_module(path, package): path.read_text() for path in sorted(package.rglob("*.py"))}
    sources = {name: text for name, text in sources.items() if text.strip()}
    trees = {name: ast.parse(text) for name, text in sources.items()}
    imports = {name: set(_imported(tree, trees)) - {name} for name, tree in trees.items()}
    lines = {name: text.count("\n") for name, text in sources.items()}
    importers = {name: sum(name in imported for imported in imports.values()) for name in trees}
    small = [
        name
        for name in trees
        if lines[name] < SMALL_LINES and importers[name] == 1 and ".migrations" not in name and "." in name
    ]
    widest = max(len(imports[name]) for name in trees if name.startswith(f"{PACKAGE}.campaign."))
    values = [
        len(trees),
        sum(lines.values()),
        len(small),
        sum(
            (node.end_lineno or node.lineno) - node.lineno + 1
            for tree in trees.values()
            for node in _import_nodes(tree)
        ),
        sum(1 for circle in _circles(imports) if len(circle) > 1),
        max(_places_of_arguments(trees).values(), default=0),
        widest,
        sum(count > LONG_LINES for count in lines.values()),
    ]
    return dict(zip(GOALS, values, strict=True))


def _figures_of_commit(commit: str) -> dict[str, int]:
    archive = subprocess.run(["git", "archive", commit, PACKAGE], check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
        return figures(Path(folder) / PACKAGE)


def _module(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _import_nodes(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _imported(tree: ast.Module, modules: dict[str, ast.Module]) -> Iterator[str]:
    for node in _import_nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in modules:
                    yield name
                elif node.module in modules:
                    yield node.module


def _circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """Strongly connected components, by Kosaraju's algorithm."""
    order: list[str] = []
    seen: set[str] = set()
    for start in imports:
        stack = [(start, iter(imports[start]))] if start not in seen else []
        seen.add(start)
        while stack:
            name, targets = stack[-1]
            target = next((target for target in targets if target not in seen), None)
            if target is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(target)
                stack.append((target, iter(imports[target])))
    importers: dict[str, set[str]] = {name: set() for name in imports}
    for name, imported in imports.items():
        for target in imported:
            importers[target].add(name)
    circles: list[set[str]] = []
    placed: set[str] = set()
    for start in reversed(order):
        if start in placed:
            continue
        circle: set[str] = set()
        pending = [start]
        while pending:
            name = pending.pop()
            if name not in placed:
                placed.add(name)
                circle.add(name)
                pending += importers[name]
        circles.append(circle)
    return circles


def _places_of_arguments(trees: dict[str, ast.Module]) -> dict[str, int]:
    """For each argument of ``SendRvmOperator``: how often it is written as a field, parameter, option or keyword."""
    arguments = {
        argument.arg
        for node in ast.walk(trees[f"{PACKAGE}.operators.rvm"])
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for argument in node.args.kwonlyargs
    }
    # as named below these layers, a plan's field or a rule of the ledger is a word of its own, not the argument again
    layers = tuple(f"{PACKAGE}.{name}" for name in ("operators._", "operators.rvm", "cli.send", "campaign.arguments"))
    places = dict.fromkeys(arguments, 0)
    for name, tree in trees.items():
        if not name.startswith(layers):
            continue
        for node in ast.walk(tree):
            for word in _written(node):
                if word in places:
                    places[word] += 1
    return places


def _written(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.arg(arg=word) | ast.keyword(arg=str(word)) | ast.AnnAssign(target=ast.Name(id=word)):
            yield word
        case ast.Assign(targets=[ast.Attribute(attr=word)]):
            yield word
        case ast.Constant(value=str(text)) if text.startswith("--"):
            yield text.partition("/")[0].removeprefix("--").replace("-", "_")
        case ast.Tuple(elts=[ast.Constant(value=str(word)), *_]) | ast.Dict(keys=[ast.Constant(value=str(word)), *_]):
            yield word


if __name__ == "__main__":
    main()
