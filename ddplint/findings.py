"""Findings, their traces and their fixes: plain data that every layer may read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Severity = Literal["note", "warning", "error"]
Applicability = Literal["safe", "unsafe"]
# read: data; work: a computation; pass, stop: a guard lets through or keeps out; meet: a collective; miss: a collective
# that is not there; result: a number that is used; idle: nothing
EventKind = Literal["read", "work", "pass", "stop", "meet", "miss", "result", "idle"]

SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")
EVENT_KINDS: tuple[EventKind, ...] = ("read", "work", "pass", "stop", "meet", "miss", "result", "idle")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. Rows and columns count from 1, columns in characters; the end is exclusive."""

    path: str
    row: int
    column: int
    end_row: int
    end_column: int


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step of a trace: where, and one short sentence of what happens there."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True, order=True)
class RankEvent:
    """One thing that one lane (a rank, some ranks, a run) does; what has the same `moment` happens side by side.

    Lanes with a `meet` or `miss` at one moment do or miss the same thing together. `share` is how much of the data the
    event is about: a character per equal part, `#` for those that belong to it.
    """

    moment: int
    lane: str
    kind: EventKind
    label: str
    span: Span | None = None
    share: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace what `span` covers by `content`."""

    span: Span
    content: str


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule's codemod does at one place: plain data between the flow and libcst.

    `kind` names a transformation that the rule's module defines, `span` the node that it applies to,
    `arguments` whatever the transformation needs as strings.
    """

    kind: str
    span: Span
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair: its level, a short imperative title, the actions, and why it is unsafe (empty when safe)."""

    applicability: Applicability
    message: str
    actions: tuple[Action, ...]
    reason: str = ""
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One report of one rule. Either `fix` is set or `no_fix_reason` says why there is none.

    `ranks` is what each rank does, moment by moment, where they differ; empty where they do not.
    """

    code: str
    name: str
    severity: Severity
    message: str
    span: Span
    trace: tuple[Step, ...] = ()
    fix: Fix | None = None
    no_fix_reason: str = ""
    also: tuple[Span, ...] = field(default=())
    ranks: tuple[RankEvent, ...] = ()

    def sort_key(self) -> tuple[str, int, int, str, str]:
        return (self.span.path, self.span.row, self.span.column, self.code, self.message)

    def with_fix(self, fix: Fix | None, reason: str = "") -> Finding:
        return replace(self, fix=fix, no_fix_reason=reason)
