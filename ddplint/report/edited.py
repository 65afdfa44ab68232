"""What is said of suppression comments that are written or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ddplint.findings import Finding
from ddplint.report.style import location, plural, printable
from ddplint.source import Sources


@dataclass(frozen=True, slots=True)
class Edits:
    """What was asked for, in words, what it was done with, and what was left: findings, and files that could not be
    written, each with the reason. `messages`: those of the findings are shown."""

    noun: str
    verb: str
    messages: bool
    done: Sequence[Finding]
    left: Sequence[tuple[Finding, str]]
    unwritten: Sequence[tuple[str, str]]
    sources: Sources

    @property
    def written(self) -> list[Finding]:
        refused = {path for path, _ in self.unwritten}
        return [finding for finding in self.done if finding.span.path not in refused]

    def render_done(self) -> str:
        """A line for each finding that it was done with."""
        return "".join(f"{self.verb} {self._name(finding)}\n" for finding in self.written)

    def render_left(self) -> str:
        """A line for what was left."""
        lines = [f"left {self._name(finding)}: {printable(reason)}\n" for finding, reason in self.left]
        return "".join([*lines, *(f"left {printable(path)}: {printable(reason)}\n" for path, reason in self.unwritten)])

    def render_outcome(self, applied: bool) -> str:
        """The closing line."""
        done = self.written
        rest = len(self.left) + len(self.done) - len(done)
        left = f"; {rest} left" if rest else ""
        if not done:
            return f"No {self.noun} {'was' if applied else 'to be'} {self.verb}{left}.\n"
        files = plural(len({finding.span.path for finding in done}), "file")
        counted = plural(len(done), self.noun)
        if applied:
            return f"{counted} {self.verb} in {files}{left}.\n"
        return f"{counted} would be {self.verb} in {files}{left}; --apply writes the comments.\n"

    def _name(self, finding: Finding) -> str:
        message = f": {printable(finding.message)}" if self.messages else ""
        return f"{location(finding.span, self.sources)}: {finding.code} {finding.name}{message}"
