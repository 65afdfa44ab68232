"""A stand-in for the analysis whose findings are calls by name, so that fixes can be tried without the real rules."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fake_core import Analysed, FakeCore, make_rule

from ddplint.findings import Action, Finding, Fix, Span
from ddplint.rules.base import Rule
from ddplint.source import SourceFile

TOYS = (make_rule("TOY001", "toy-call"), make_rule("TOY002", "other-toy"))

Actions = Sequence[Action]


def span_of(path: str, text: str, node: ast.expr | ast.stmt) -> Span:
    lines = text.split("\n")

    def column(row: int, offset: int) -> int:
        return len(lines[row - 1].encode()[:offset].decode()) + 1

    end_row, end = node.end_lineno or 0, node.end_col_offset or 0
    return Span(path, node.lineno, column(node.lineno, node.col_offset), end_row, column(end_row, end))


def action(kind: str, span: Span, **arguments: str) -> Action:
    return Action(kind, span, tuple(arguments.items()))


class ToyCore(FakeCore):
    """Calls of these names are findings:

    `bad(x)`       becomes `good(x)`
    `risky(x)`     becomes `good(x)`, unsafe
    `drop(x)`      becomes `x`
    `shuffled(x)`  gets `shuffle=False`
    `pair(x)`      becomes `paired(x)` here and in every other file that says it
    `fade(x)`      becomes `random.random()`, with the import
    `stubborn(x)`  its fix changes nothing that matters
    `broken(x)`    its fix does not parse
    `worse(x)`     its fix calls `bad`
    `mute(x)`      its fix loses a comment
    `crash(x)`     its codemod does not exist
    `hopeless(x)`  has no fix
    """

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    def analyse(
        self,
        facts: Sequence[tuple[str, SourceFile]],
        root: Any,
        rules: Sequence[Rule],
        knowledge: Any,
        progress: Callable[[int, int], None],
    ) -> Analysed:
        self.checks += 1
        calls = [(path, source.text, call) for path, source in facts for call in _calls(source.text)]
        return Analysed(list(self._found(calls)), [])

    def _found(self, calls: Sequence[tuple[str, str, ast.Call]]) -> Iterator[Finding]:
        for path, text, call in calls:
            assert isinstance(call.func, ast.Name)
            name = call.func.id
            span = span_of(path, text, call)
            fix: Fix | None = None
            if name in FIXES:
                fix = Fix("unsafe" if name == "risky" else "safe", f"mend {name}", FIXES[name](span))
                if name == "risky":
                    fix = Fix("unsafe", "mend risky", fix.actions, "it is a risk")
            elif name == "pair":
                members = [
                    span_of(p, t, c) for p, t, c in calls if isinstance(c.func, ast.Name) and c.func.id == "pair"
                ]
                fix = Fix("safe", "mend pair", tuple(action("replace-callee", one, text="paired") for one in members))
            elif name != "hopeless":
                continue
            yield Finding(
                code="TOY002" if name == "risky" else "TOY001",
                name="other-toy" if name == "risky" else "toy-call",
                severity="warning",
                message=f"a call of {name}",
                span=span,
                fix=fix,
                no_fix_reason="" if fix else "nobody knows how",
            )


FIXES: Mapping[str, Callable[[Span], tuple[Action, ...]]] = {
    "bad": lambda span: (action("replace-callee", span, text="good"),),
    "risky": lambda span: (action("replace-callee", span, text="good"),),
    "drop": lambda span: (action("unwrap-call", span),),
    "shuffled": lambda span: (
        action("set-keyword", span, name="shuffle", value="False"),
        action("replace-callee", span, text="ordered"),
    ),
    "fade": lambda span: (
        action("add-import", span, module="random"),
        action("replace-text", span, text="random.random()"),
    ),
    "stubborn": lambda span: (action("insert-before", span, code="pass"),),
    "broken": lambda span: (action("insert-before", span, code="return return"),),
    "worse": lambda span: (action("replace-callee", span, text="bad"),),
    "crash": lambda span: (action("no-such-kind", span),),
}


def _calls(text: str) -> list[ast.Call]:
    nodes = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return sorted(nodes, key=lambda node: (node.lineno, node.col_offset))
