"""One file that codemods rewrite."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ddplint.findings import Edit, Span
from ddplint.rewriting.changes import CannotRewrite, Change
from ddplint.rewriting.edits import State
from ddplint.rewriting.imports import Imports

_STRING = (cst.SimpleString, cst.FormattedString)


class FileRewriter(Imports):
    """One file's text, its libcst tree and the edits asked for so far.

    Nodes are those of the tree as it was parsed; edits do not change it. A rewrite that touches what another one has
    changed raises `Conflict`, one that is not possible `CannotRewrite`.
    """

    def checkpoint(self) -> object:
        """What `rollback` returns to."""
        return self._state.copy()

    def rollback(self, checkpoint: object) -> None:
        """Forget the edits made since."""
        assert isinstance(checkpoint, State)
        self._state = checkpoint.copy()

    def finish(self) -> None:
        """Do what had to wait for the other edits of a fix; raises CannotRewrite if the layout does not allow one."""
        self._drop_unused()
        while self._state.renamed:
            self._realign(self._state.renamed.pop())
        for change in self._state.changes:
            reason = self._layout.refusal(change)
            if reason:
                raise CannotRewrite(reason)

    def changes_since(self, checkpoint: object | None = None) -> list[Change]:
        """The edits made since the checkpoint, or all."""
        assert checkpoint is None or isinstance(checkpoint, State)
        return self._state.changes[len(checkpoint.changes) if checkpoint is not None else 0 :]

    @property
    def changes(self) -> list[Change]:
        """All edits, in the order in which they were asked for; a later one may give an earlier one another form."""
        return list(self._state.changes)

    def edit(self, change: Change) -> Edit:
        """A change as plain data."""
        return Edit(Span(self.path, *self.place(change.start), *self.place(change.end)), change.content)

    def _realign(self, call: cst.Call) -> None:
        """Move the rows of a call along with its parenthesis, where they are aligned with it and nothing hinders."""
        if not call.args:
            return
        first = self.range_of(call.args[0])[0]
        row = self._line_of(first)
        before = [one for one in self._state.changes if row <= one.start and one.end <= first]
        shift = sum(len(one.content) - (one.end - one.start) for one in before)
        width = first - row
        end = self.closing_of(call)
        rows = [start for start in self._starts if first < start < end and self.text[start:end].strip()]
        margins = [self._indent(start) for start in rows]
        if (
            not shift
            or row > self.range_of(call.func)[0]
            or any("\n" in one.content for one in before)
            or not any(len(margin) == width for margin in margins)
            or any(margin.strip(" ") or len(margin) < max(width, -shift) for margin in margins)
            or any(isinstance(node, _STRING) and "\n" in self.code_of(node) for node in self._below(call))
        ):
            return
        shifts = [Change(start, start if shift > 0 else start - shift, " " * shift) for start in rows]
        if not any(one.overlaps(other) or one.start == other.start for one in shifts for other in self._state.changes):
            self._state.changes += shifts

    @staticmethod
    def _below(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        pending = [node]
        while pending:
            one = pending.pop()
            yield one
            pending += one.children
