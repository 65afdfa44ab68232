"""One analysis: facts and rules in, findings and errors out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ddplint.findings import Finding
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run, in_deep_thread, run_program
from ddplint.program.program import Module, Program

EVENTS = ("call", "call_result", "binary", "binary_result", "assign", "loop", "return", "compare")


class CheckLike(Protocol):
    """One rule's work on one program; its `on_<event>` methods are called as events happen."""

    findings: list[Finding]

    def finish(self, run: Run) -> None: ...


class RuleLike(Protocol):
    code: Any

    def start(self, knowledge: Knowledge) -> CheckLike: ...


@dataclass(frozen=True, slots=True)
class Analysis:
    findings: list[Finding]
    errors: list[str]


class _Guarded:
    """Calls a rule's method; a crash is recorded once and the rule is left out from then on."""

    def __init__(self, rule: RuleLike, check: CheckLike, errors: list[str]) -> None:
        self.rule = rule
        self.check = check
        self.errors = errors
        self.broken = False

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if self.broken:
            return None
        try:
            return method(*arguments)
        except Exception as problem:  # noqa: BLE001 - one broken rule must not end the run; it is reported and exits 2
            self.broken = True
            where = getattr(getattr(arguments[0], "scope", None), "module", None) if arguments else None
            place = f" in {where.path}" if where is not None else ""
            self.errors.append(f"rule {self.rule.code} crashed{place}: {type(problem).__name__}: {problem}")
            return None

    def listener(self, method: Callable[..., Any]) -> Callable[[Any], Any]:
        return lambda event: self.call(method, event)


def analyse(
    facts: Iterable[Module],
    root: Path,
    rules: Sequence[RuleLike],
    knowledge: Knowledge,
    progress: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Run the rules over a program. Crashes of a rule or of the flow end up in `errors`, the rest goes on."""
    errors: list[str] = []
    listeners: dict[str, list[Callable[[Any], Any]]] = defaultdict(list)
    guarded: list[_Guarded] = []
    for rule in rules:
        one = _Guarded(rule, rule.start(knowledge), errors)
        guarded.append(one)
        for kind in EVENTS:
            method = getattr(one.check, f"on_{kind}", None)
            if method is not None:
                listeners[kind].append(one.listener(method))
    run = in_deep_thread(lambda: run_program(Program(facts), knowledge, listeners, progress))
    errors += [f"analysis of {one.where} crashed: {type(one.error).__name__}: {one.error}" for one in run.troubles]
    for one in guarded:
        one.call(one.check.finish, run)
    return Analysis(_unique(finding for one in guarded for finding in one.check.findings), errors)


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per rule and place: the one with the shortest trace."""
    best: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.span)
        known = best.get(key)
        if known is None or _preference(finding) < _preference(known):
            best[key] = finding
    return sorted(best.values(), key=Finding.sort_key)


def _preference(finding: Finding) -> tuple[object, ...]:
    weight = {"error": 0, "warning": 1, "note": 2}[finding.severity]
    return (weight, len(finding.trace), finding.message, finding.trace)
