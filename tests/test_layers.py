"""Imports run one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# a part may import parts of its own row and of rows above it
LAYERS = (
    (
        "ddplint.documentation",
        "ddplint.findings",
        "ddplint.knowledge",
        "ddplint.layout",
        "ddplint.notebook",
        "ddplint.patterns",
        "ddplint.problems",
        "ddplint.source",
    ),
    ("ddplint.suppression",),
    ("ddplint.baseline", "ddplint.config", "ddplint.files", "ddplint.result"),
    ("ddplint.facts", "ddplint.stdin"),
    ("ddplint.program",),
    ("ddplint.flow",),
    ("ddplint.rewriting",),
    ("ddplint.rules",),
    ("ddplint.registry", "ddplint.selection"),
    ("ddplint.ignores",),
    ("ddplint.report", "ddplint.fixing"),
    ("ddplint.cache",),
    ("ddplint.engine",),
    ("ddplint.upkeep",),
    ("ddplint.testing",),
    ("ddplint.scaffold",),
    ("ddplint.cli",),
    ("ddplint.__main__",),
)


def modules() -> Iterator[tuple[str, Path]]:
    for base, package in ((ROOT / "ddplint", "ddplint"), (ROOT / "rules", "ddplint.rules")):
        for path in sorted(base.rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


def layer(name: str) -> int | None:
    for index, parts in enumerate(LAYERS):
        if any(name == part or name.startswith(f"{part}.") for part in parts):
            return index
    return None


def imported(path: Path, name: str) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [base])])
            # `from ddplint import x` may name a module; else the source counts
            yield from (f"{base}.{alias.name}" if base == "ddplint" else base for alias in node.names)


@pytest.mark.parametrize(("name", "path"), [pytest.param(name, path, id=name) for name, path in modules()])
def test_imports_run_one_way(name: str, path: Path) -> None:
    own = layer(name)
    assert own is not None or name == "ddplint", f"{name} has no layer: give it one in LAYERS"
    for target in imported(path, name):
        theirs = layer(target)
        if target == "ddplint" or target.startswith("ddplint."):
            assert theirs is None or (own is not None and theirs <= own), f"{name} imports {target}"


def test_engine_knows_no_rule_by_name() -> None:
    for name, path in modules():
        if not name.startswith("ddplint.rules"):
            rules = [target for target in imported(path, name) if target.startswith("ddplint.rules.")]
            assert set(rules) <= {"ddplint.rules.base"}, name


def test_packages_are_all_installed() -> None:
    # with the rules beside the package, setuptools cannot find the packages by itself
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("packages = [")[2].partition("]")[0]
    folders = [path.parent.relative_to(ROOT / "ddplint").parts for path in (ROOT / "ddplint").rglob("*.py")]
    rules = [path.parent.relative_to(ROOT / "rules").parts for path in (ROOT / "rules").rglob("*.py")]
    folders += [("rules", *parts) for parts in rules]
    expected = {"ddplint.knowledge"} | {".".join(("ddplint", *parts)) for parts in folders}
    assert {line.strip(' ",') for line in listed.splitlines()} - {""} == expected
