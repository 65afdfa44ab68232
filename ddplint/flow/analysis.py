"""One analysis: facts and rules in, findings and errors out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ddplint.facts.build import FileFacts
from ddplint.findings import Finding
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run, in_deep_thread, run_program
from ddplint.problems import described
from ddplint.program.program import Program
from ddplint.program.relevance import Relevance

EVENTS = ("call", "call_result", "binary", "binary_result", "assign", "loop", "return", "compare")


class CheckLike(Protocol):
    """One rule's work on one program; its `on_<event>` methods are called as events happen."""

    findings: list[Finding]

    def finish(self, run: Run) -> None: ...


class RuleLike(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def words(self) -> tuple[frozenset[str], ...]: ...

    def start(self, knowledge: Knowledge) -> CheckLike: ...


@dataclass(frozen=True, slots=True)
class Analysis:
    findings: list[Finding]
    errors: list[str]


def analyse(
    facts: Iterable[FileFacts],
    root: Path,
    rules: Sequence[RuleLike],
    knowledge: Knowledge,
    progress: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Run the rules over a program. Crashes of a rule or of the flow end up in `errors`, the rest goes on."""
    program = Program(facts, knowledge.libraries)
    rules, reach = in_deep_thread(lambda: _applicable(program, rules, knowledge))
    if not rules:
        return Analysis([], [])
    rules, checks, errors = _started(rules, knowledge)
    listeners = {
        kind: [getattr(check, f"on_{kind}") for check in checks if hasattr(check, f"on_{kind}")] for kind in EVENTS
    }
    run = in_deep_thread(lambda: run_program(program, knowledge, listeners, reach, progress))
    errors += [f"analysis of {one.where} crashed: {type(one.error).__name__}: {one.error}" for one in run.troubles]
    codes = {id(check): rule.code for check, rule in zip(checks, rules, strict=True)}
    errors += [f"rule {codes.get(id(owner), owner)} {what}" for owner, what in run.interpreter.crashes]
    broken = {id(owner) for owner, _ in run.interpreter.crashes}
    for check, rule in zip(checks, rules, strict=True):
        if id(check) in broken:
            continue
        try:
            check.finish(run)
        except Exception as problem:  # noqa: BLE001 - one broken rule must not end the run; it is reported and exits 2
            errors.append(f"rule {rule.code} crashed at the end: {described(problem)}")
    return Analysis(_unique(finding for check in checks for finding in check.findings), errors)


def _started(rules: Sequence[RuleLike], knowledge: Knowledge) -> tuple[list[RuleLike], list[CheckLike], list[str]]:
    """The rules that could begin, their checks, and what is to be said of the others."""
    started: list[tuple[RuleLike, CheckLike]] = []
    errors = []
    for rule in rules:
        try:
            started.append((rule, rule.start(knowledge)))
        except Exception as problem:  # noqa: BLE001 - as at the end
            errors.append(f"rule {rule.code} crashed at the start: {described(problem)}")
    return [rule for rule, _ in started], [check for _, check in started], errors


def _applicable(
    program: Program, rules: Sequence[RuleLike], knowledge: Knowledge
) -> tuple[list[RuleLike], set[int] | None]:
    """The rules whose words the program mentions, and what can matter to them; None for everything."""
    relevance = Relevance(program, knowledge.matches, knowledge.own_words)
    found = [(rule, relevance.of(rule.words) if rule.words else None) for rule in rules]
    kept = [(rule, reach) for rule, reach in found if reach is not None or not rule.words]
    reaches = [reach for _, reach in kept if reach is not None]
    if len(reaches) < len(kept):
        return [rule for rule, _ in kept], None
    return [rule for rule, _ in kept], set().union(*reaches)


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
