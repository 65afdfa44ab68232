"""What every rule has: its code, name and severity, its documentation (its module's docstring) and its check of one
program.

What `__all__` names is the interface for rules outside of this package; docs/writing-a-rule.md says what it promises.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from ddplint.documentation import RuleDocumentation, parse_documentation
from ddplint.facts.lower import unpack
from ddplint.findings import SEVERITIES, Action, Finding, Fix, RankEvent, Severity, Span, Step
from ddplint.flow.events import (
    AssignEvent,
    BinaryEvent,
    CallEvent,
    CompareEvent,
    Guard,
    LoopEvent,
    ReturnEvent,
    Scope,
    reachable,
)
from ddplint.flow.knowledge import Effect, Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import Const, Entries, Items, Made, Place, Tag, Value

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter

__all__ = [
    "Action",
    "AssignEvent",
    "BinaryEvent",
    "CallEvent",
    "Check",
    "CompareEvent",
    "Const",
    "Effect",
    "Entries",
    "Finding",
    "Fix",
    "Guard",
    "Items",
    "Knowledge",
    "LoopEvent",
    "Made",
    "Place",
    "RankEvent",
    "ReturnEvent",
    "Rule",
    "Run",
    "Scope",
    "Severity",
    "Span",
    "Step",
    "Tag",
    "Value",
    "place_at",
    "reachable",
    "span_at",
    "span_of",
    "step_of",
]


class Rule:
    """One rule. A module defines a subclass and `RULE`, an instance of it.

    `name` reads well after "allow". `words` are groups of words: a function can only matter to the rule if it has
    a word of each group in reach, as a part of a name; `pattern:x` is what the knowledge's pattern `x` matches.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    words: ClassVar[tuple[frozenset[str], ...]] = ()
    check: ClassVar[type[Check]]
    # what carries out actions of the rule's own kinds
    codemods: ClassVar[Mapping[str, Callable[[FileRewriter, Action], None]]] = {}

    @cached_property
    def documentation(self) -> RuleDocumentation:
        """The sections of the docstring of the module that defines the rule."""
        return parse_documentation(sys.modules[type(self).__module__].__doc__)

    @property
    def summary(self) -> str:
        """One line for tables."""
        return self.documentation.summary

    def start(self, knowledge: Knowledge) -> Check:
        """A new check of one program."""
        return self.check(self, knowledge)

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        """Carry out one action of a fix; those of kinds that are none of the rule's own are common to all.

        Raises `CannotRewrite` where the file does not allow it.
        """
        codemod = self.codemods.get(action.kind)
        if codemod is not None:
            codemod(file, action)
            return
        # libcst is slow to import and only needed here
        from ddplint.rewriting import rewrite_common

        rewrite_common(action, file)


class Check:
    """One rule's work on one program. Methods `on_call`, `on_binary`, `on_assign`, `on_loop`, `on_return` and
    `on_compare` get the
    flow's events, `on_binary_result` and `on_call_result` may replace the value of an operation or library call,
    `finish` judges what needs the whole program."""

    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        self.rule = rule
        self.knowledge = knowledge
        self.findings: list[Finding] = []

    def finish(self, run: Run) -> None:
        """Called once after the last event."""

    def report(
        self,
        scope: Scope | str,
        node: Sequence[Any],
        message: str,
        trace: Iterable[Place] = (),
        severity: Severity | None = None,
        fix: Fix | None = None,
        no_fix_reason: str = "",
        also: Iterable[Place] = (),
        ranks: tuple[RankEvent, ...] = (),
    ) -> Finding:
        """Report `node`, in the file of `scope` (or of that path). Raises ValueError for a severity that is none."""
        if severity is not None and severity not in SEVERITIES:
            raise ValueError(f"no severity: {severity!r}")
        path = scope if isinstance(scope, str) else scope.module.path
        finding = Finding(
            code=self.rule.code,
            name=self.rule.name,
            severity=severity or self.rule.severity,
            message=message,
            span=span_of(path, node[1]),
            trace=tuple(step_of(place) for place in trace),
            fix=fix,
            no_fix_reason=no_fix_reason,
            also=tuple(span_of(place.path, place.position) for place in also),
            ranks=ranks,
        )
        self.findings.append(finding)
        return finding


def span_of(path: str, position: int) -> Span:
    """The span of a packed position: rows and columns from 1."""
    row, column, end_row, end_column = unpack(position)
    return Span(path, max(row, 1), column + 1, max(end_row, 1), end_column + 1)


def span_at(scope: Scope, node: Sequence[Any]) -> Span:
    """Where a node stands: what an action of a fix applies to."""
    return span_of(scope.module.path, node[1])


def place_at(scope: Scope, node: Sequence[Any], message: str) -> Place:
    """A step of a trace: `message` says in one short sentence what happens at the node."""
    return Place(scope.module.path, node[1], message)


def step_of(place: Place) -> Step:
    return Step(span_of(place.path, place.position), place.message)
