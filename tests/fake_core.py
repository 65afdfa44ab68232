"""A stand-in for the analysis: a rule that reports each line with the word `BUG`, and crashes on demand."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ddplint.cli import main
from ddplint.files import SourceRef
from ddplint.findings import Finding, Fix, Span, Step
from ddplint.rules.base import Rule
from ddplint.source import SourceFile, Unreadable, parse_source

DOCUMENTATION = """Reports a bug word.

## What it does
Finds the word.

## Why it is a bug
It says so.

## Example
```python
BUG = 1
```

## Instead
```python
fine = 1
```

## Not reported
Other words.

## Fix safety
Safe.

## References
None needed.
"""


def make_rule(code: str, name: str, severity: str = "warning") -> Rule:
    module = type(sys)(f"fake_{code}", DOCUMENTATION)
    sys.modules[module.__name__] = module
    namespace = {"code": code, "name": name, "severity": severity, "__module__": module.__name__}
    return type(f"Rule{code}", (Rule,), namespace)()


RULES = (
    make_rule("DDP101", "rank0-evaluation", "error"),
    make_rule("DDP203", "sigmoid-before-bce"),
    make_rule("DDP204", "double-activation", "note"),
)


@dataclass
class Built:
    facts: list[tuple[str, SourceFile]]
    skipped: list[tuple[str, str]]
    lines: int
    hashes: dict[str, str]


@dataclass
class Analysed:
    findings: list[Finding]
    errors: list[str]


class FakeCore:
    """`BUG101`, `BUG203`, `BUG204` are findings, `FROM path` adds a step there, `CRASH` and `RULECRASH` crash."""

    def __init__(self) -> None:
        self.built = 0

    def load_knowledge(self, further: Iterable[Path]) -> Any:
        return None

    def build_facts(
        self,
        files: Sequence[SourceRef],
        jobs: int,
        cache_dir: Path | None,
        progress: Callable[[int, int], None],
    ) -> Built:
        self.built += 1
        built = Built([], [], 0, {})
        for done, ref in enumerate(files, 1):
            try:
                source = parse_source(ref.path, ref.read())
                ast.parse(source.text)
            except Unreadable as trouble:
                built.skipped.append((ref.display, trouble.reason))
                continue
            except (SyntaxError, RecursionError, MemoryError) as error:
                built.skipped.append((ref.display, f"no Python 3 ({type(error).__name__})"))
                continue
            built.facts.append((ref.display, source))
            built.hashes[ref.display] = source.hash
            built.lines += source.text.count("\n")
            progress(done, len(files))
        return built

    def analyse(
        self,
        facts: Sequence[Any],
        root: Path,
        rules: Sequence[Rule],
        knowledge: Any,
        progress: Callable[[int, int], None],
    ) -> Analysed:
        analysed = Analysed([], [])
        for path, source in facts:
            for row, line in enumerate(source.text.splitlines(), 1):
                if "# CRASH" in line:
                    raise ZeroDivisionError("division by zero")
                if "# INTERRUPT" in line:
                    raise KeyboardInterrupt
                if "RULECRASH" in line:
                    analysed.errors.append(f"rule DDP203 crashed on {path}: ValueError")
                analysed.findings += self._findings(path, row, line, rules)
        return analysed

    def _findings(self, path: str, row: int, line: str, rules: Sequence[Rule]) -> Iterator[Finding]:
        for rule in rules:
            column = line.find(f"BUG{rule.code[3:]}") + 1
            if not column:
                continue
            source = line.partition("FROM ")[2].split()
            trace = (Step(Span(source[0], 1, 1, 1, 2), "the value starts here"),) if source else ()
            yield Finding(
                code=rule.code,
                name=rule.name,
                severity=rule.severity,
                message=f"a bug named {rule.name}",
                span=Span(path, row, column, row, column + 6),
                trace=trace,
                fix=Fix("safe", "take it away", ()) if rule.code == "DDP203" else None,
                no_fix_reason="" if rule.code == "DDP203" else "only you know",
            )


@contextmanager
def installed(core: FakeCore | None = None, rules: Sequence[Rule] = RULES) -> Iterator[FakeCore]:
    """The engine and the command line use the fake analysis and these rules."""
    fake = core or FakeCore()
    with (
        mock.patch("ddplint.engine.DefaultCore", lambda: fake),
        mock.patch("ddplint.engine.discover", lambda: rules),
        mock.patch("ddplint.cli.options.discover", lambda: rules),
    ):
        yield fake


if __name__ == "__main__":
    with installed():
        sys.exit(main())
