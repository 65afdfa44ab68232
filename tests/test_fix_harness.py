"""The fixes of all fixtures: the result parses, keeps comments and other text, lacks the finding, has no new one."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fixture_files import all_fixtures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddplint.config import Settings
from ddplint.engine import fix
from ddplint.registry import discover
from ddplint.rewriting import comments_of
from ddplint.testing import Fixture, repair_problems

RULES = discover()
FIXTURES = [fixture for fixture in all_fixtures() if fixture.is_bug]
SETTINGS = Settings(cache=False, jobs=1)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_fixes(fixture: Fixture) -> None:
    assert repair_problems(fixture, RULES) == []


def repair() -> None:
    result = fix(["."], SETTINGS, apply=True, unsafe=True)
    assert not result.errors
    assert not result.unwritten


def texts() -> dict[str, str]:
    return {str(path): path.read_text("utf-8") for path in sorted(Path().rglob("*.py"))}


def comments(text: str) -> list[str]:
    return [comment for _, comment in comments_of(text)]


# the same program written otherwise


def respaced(text: str) -> str:
    """Empty rows between all statements of the module."""
    starts = {node.lineno - len(getattr(node, "decorator_list", ())) for node in ast.parse(text).body}
    rows = text.split("\n")
    return "\n".join(f"\n{row}" if number in starts and number > 1 else row for number, row in enumerate(rows, 1))


def commented(text: str) -> str:
    """A comment above each simple statement."""
    made = text.split("\n")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Assign, ast.Return, ast.AugAssign))]
    for node in sorted(nodes, key=lambda node: -node.lineno):
        row = made[node.lineno - 1]
        indent = row[: len(row) - len(row.lstrip())]
        if len(indent) == node.col_offset:
            made.insert(node.lineno - 1, f"{indent}# remark {node.lineno}")
    return "\n".join(made)


def nested(text: str) -> str:
    """The bodies of all functions under `if True:`."""
    made = text.split("\n")
    inside: set[int] = set()
    strings: set[int] = set()
    heads: dict[int, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.end_lineno != node.lineno:
            strings.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.body[0].lineno > node.lineno:
            first = node.body[0]
            if ast.get_docstring(node) is None and (first.lineno not in inside):
                row = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", ()))])
                if not inside & set(range(row, (node.end_lineno or 0) + 1)):
                    inside.update(range(row, (node.end_lineno or 0) + 1))
                    heads[row] = " " * first.col_offset
    out: list[str] = []
    for number, row in enumerate(made, 1):
        if number in heads:
            out.append(f"{heads[number]}if True:")
        out.append(f"    {row}" if number in inside and number not in strings and row.strip() else row)
    return "\n".join(out)


def requoted(text: str) -> str:
    """Simple strings in the other quotes."""
    tokens = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        string = token.string
        if (
            token.type == tokenize.STRING
            and string[0] in "\"'"
            and not set(string[1:-1]) & set("\"'\\")
            and len(string) > 2
        ):
            other = "'" if string[0] == '"' else '"'
            token = token._replace(string=f"{other}{string[1:-1]}{other}")
        tokens.append(token)
    return str(tokenize.untokenize(tokens))


VARIANTS: tuple[Callable[[str], str], ...] = (respaced, commented, nested, requoted)


def shape(text: str) -> str:
    """What the program says, without the layout and the `if True:` of the variants."""

    class Flat(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> object:
            self.generic_visit(node)
            constant = isinstance(node.test, ast.Constant) and node.test.value is True
            return node.body if constant and not node.orelse else node

    return ast.dump(Flat().visit(ast.parse(text)))


@pytest.mark.parametrize("code", sorted({fixture.code for fixture in FIXTURES}))
@settings(max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_layout_does_not_change_what_fixes_do(
    code: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fixture = data.draw(st.sampled_from([one for one in FIXTURES if one.code == code]), label="fixture")
    chosen = data.draw(st.lists(st.sampled_from(VARIANTS), min_size=1, max_size=3, unique=True), label="variants")
    made: list[dict[str, str]] = []
    for variants in ((), tuple(chosen)):
        folder = tmp_path_factory.mktemp("layout")
        fixture.copy(folder)
        for path in folder.rglob("*.py"):
            text = path.read_text("utf-8")
            for variant in variants:
                text = variant(text)
            assert shape(text) == shape(path.read_text("utf-8"))
            path.write_text(text, "utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            old = texts()
            repair()
            new = texts()
        for path in old:
            assert not Counter(comments(old[path])) - Counter(comments(new[path]))
        made.append({path: shape(text) for path, text in new.items()})
    assert made[0] == made[1]
