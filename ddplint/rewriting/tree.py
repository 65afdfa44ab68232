"""One file's text and its libcst tree: where nodes stand, and how the file is written."""

from __future__ import annotations

import re
import textwrap
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from functools import cached_property
from typing import TypeVar, cast, overload

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from ddplint.findings import Span
from ddplint.rewriting.changes import CannotRewrite, Layout, line_starts, words_of

NodeType = TypeVar("NodeType", bound=cst.CSTNode)

_EXPRESSION: tuple[type[cst.CSTNode], ...] = (cst.BaseExpression,)
_FINDABLE = (
    cst.BaseExpression,
    cst.BaseSmallStatement,
    cst.BaseCompoundStatement,
    cst.SimpleStatementLine,
    cst.Arg,
    cst.Param,
    cst.Decorator,
    cst.Element,
    cst.ExceptHandler,
    cst.WithItem,
    cst.ImportAlias,
)


class Tree:
    """One file's text and its libcst tree. Nodes are those of the tree as it was parsed."""

    def __init__(self, path: str, text: str, layout: Layout | None = None) -> None:
        self.path = path
        self.text = text
        self._layout = layout or Layout()
        self._borders = frozenset(self._layout.borders)
        try:
            whole = _parsed_whole(text)
            module = cst.parse_module(whole)
            if module.code != whole:
                raise CannotRewrite("libcst does not keep this file's text")
            # the tree comes straight from the parser, so no node occurs twice
            wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
            self._ranges = wrapper.resolve(PositionProvider)
        except (cst.ParserSyntaxError, cst.CSTValidationError):
            raise CannotRewrite("libcst cannot parse this file") from None
        except RecursionError:
            raise CannotRewrite("the file is nested too deeply") from None
        self.module = module
        self._parents = _parents_of(module)
        self._starts = line_starts(text)

    # where things are

    def offset(self, row: int, column: int) -> int:
        """The offset of a place; rows and columns count from 1."""
        if not 1 <= row <= len(self._starts):
            raise CannotRewrite(f"{self.path} has no row {row}")
        return min(self._starts[row - 1] + column - 1, len(self.text))

    def place(self, offset: int) -> tuple[int, int]:
        """Row and column, from 1."""
        row = bisect_right(self._starts, offset)
        return row, offset - self._starts[row - 1] + 1

    def span_of(self, node: cst.CSTNode) -> Span:
        """The span of a node without its own parentheses."""
        start, end = self.range_of(node)
        return Span(self.path, *self.place(start), *self.place(end))

    def range_of(self, node: cst.CSTNode) -> tuple[int, int]:
        """Offsets of a node without its own parentheses."""
        position = self._ranges[node]
        start, end = position.start, position.end
        return self._starts[start.line - 1] + start.column, self._starts[end.line - 1] + end.column

    def outer_range(self, node: cst.CSTNode) -> tuple[int, int]:
        """Offsets of a node with its own parentheses."""
        start, end = self.range_of(node)
        if isinstance(node, cst.BaseExpression) and node.lpar:
            return self.range_of(node.lpar[0])[0], self.range_of(node.rpar[-1])[1]
        return start, end

    def code_of(self, node: cst.CSTNode) -> str:
        """The text of a node as it stands in the file, without its own parentheses."""
        start, end = self.range_of(node)
        return self.text[start:end]

    @cached_property
    def _index(self) -> dict[tuple[int, int], list[cst.CSTNode]]:
        index: dict[tuple[int, int], list[cst.CSTNode]] = {}
        for node in self._ranges:
            if isinstance(node, _FINDABLE):
                for extent in {self.range_of(node), *self._parenthesized(node)}:
                    index.setdefault(extent, []).append(node)
        return index

    def _parenthesized(self, node: cst.CSTNode) -> Iterator[tuple[int, int]]:
        if isinstance(node, cst.BaseExpression):
            for opening, closing in zip(node.lpar, reversed(node.rpar)):
                yield self.range_of(opening)[0], self.range_of(closing)[1]
        if isinstance(node, cst.GeneratorExp) and not node.lpar:
            # as a sole argument it borrows the parentheses of the call
            start, end = self.range_of(node)
            left, right = self.text.rfind("(", 0, start), self.text.find(")", end)
            yield left, right + 1

    @overload
    def node_at(self, span: Span) -> cst.CSTNode: ...
    @overload
    def node_at(self, span: Span, *types: type[NodeType]) -> NodeType: ...
    def node_at(self, span: Span, *types: type[cst.CSTNode]) -> cst.CSTNode:
        """The node that covers just `span`, parentheses around it or not; an expression rather than its statement."""
        start, end = self.offset(span.row, span.column), self.offset(span.end_row, span.end_column)
        found = [node for node in self._index.get((start, end), ()) if not types or isinstance(node, types)]
        if not found:
            wanted = " or ".join(kind.__name__ for kind in types) or "node"
            raise CannotRewrite(f"no {wanted} at {span.path}:{span.row}:{span.column}")
        return min(found, key=lambda node: (not isinstance(node, cst.BaseExpression), -len(self.code_of(node))))

    def expression_at(self, span: Span) -> cst.BaseExpression:
        """The expression that covers just `span`."""
        return cast(cst.BaseExpression, self.node_at(span, *_EXPRESSION))

    def call_at(self, span: Span) -> cst.Call:
        """The call that covers just `span`."""
        return self.node_at(span, cst.Call)

    def statement_at(self, span: Span) -> cst.BaseSmallStatement | cst.BaseCompoundStatement:
        """The statement that covers just `span`, or the one that holds the expression there."""
        return self.statement_of(self.node_at(span))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Parent, its parent, and so on up to the module."""
        above = self._parents.get(node)
        while above is not None:
            yield above
            above = self._parents.get(above)

    @overload
    def enclosing(self, node: cst.CSTNode, kind: type[NodeType], /) -> NodeType | None: ...
    @overload
    def enclosing(self, node: cst.CSTNode, /, *kinds: type[cst.CSTNode]) -> cst.CSTNode | None: ...
    def enclosing(self, node: cst.CSTNode, /, *kinds: type[cst.CSTNode]) -> cst.CSTNode | None:
        """The nearest ancestor of these types."""
        return next((above for above in self.ancestors(node) if isinstance(above, kinds)), None)

    def statement_of(self, node: cst.CSTNode) -> cst.BaseSmallStatement | cst.BaseCompoundStatement:
        """The statement that holds the node most closely; for an `elif` the whole chain."""
        current: cst.CSTNode | None = node
        while current is not None:
            above = self._parents.get(current)
            chained = isinstance(current, cst.If) and isinstance(above, cst.If)
            if isinstance(current, (cst.BaseSmallStatement, cst.BaseCompoundStatement)) and not chained:
                return current
            if isinstance(current, cst.SimpleStatementLine):
                return current.body[0]
            current = above
        raise CannotRewrite("not within a statement")

    def closing_of(self, call: cst.Call) -> int:
        """The offset of a call's closing parenthesis."""
        return self.range_of(call)[1] - 1

    # the file's style

    @property
    def indent_unit(self) -> str:
        return self.module.default_indent

    def indent_of(self, node: cst.CSTNode) -> str:
        """The white space before the statement that holds the node."""
        return self._indent(self._line_of(self._anchor(node)))

    @cached_property
    def quote(self) -> str:
        """The quote that the file's strings mostly use."""
        counts = Counter(node.quote[0] for node in self._ranges if isinstance(node, cst.SimpleString))
        return "'" if counts["'"] > counts['"'] else '"'

    def string(self, text: str) -> str:
        """A string literal in the file's style."""
        plain = repr(text)
        body = plain[1:-1]
        if self.quote in body or "\\" in body:
            return plain
        return f"{self.quote}{body}{self.quote}"

    @staticmethod
    def expression(code: str) -> cst.BaseExpression:
        """Parse an expression."""
        try:
            return cst.parse_expression(code)
        except cst.ParserSyntaxError:
            raise CannotRewrite(f"not an expression: {code}") from None

    def statement(self, code: str) -> cst.BaseStatement:
        """Parse a statement."""
        try:
            return cast(cst.BaseStatement, cst.parse_statement(code))
        except cst.ParserSyntaxError:
            raise CannotRewrite(f"not a statement: {code}") from None

    # rows

    def _line_of(self, place: cst.CSTNode | int) -> int:
        """The offset at which the row of a node or offset begins."""
        offset = place if isinstance(place, int) else self.range_of(place)[0]
        return self._starts[bisect_right(self._starts, offset) - 1]

    def _first(self, node: cst.CSTNode) -> cst.CSTNode:
        """What a statement begins with: its first decorator, if it has any."""
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)) and node.decorators:
            return node.decorators[0]
        return node

    def _after(self, node: cst.CSTNode) -> int:
        """The offset after the last row of a statement."""
        row = bisect_right(self._starts, self.range_of(node)[1])
        return self._starts[row] if row < len(self._starts) else len(self.text)

    def _indent(self, line: int) -> str:
        found = re.compile(r"[ \t\f]*").match(self.text, line)
        return found[0] if found else ""

    def _blank(self, line: int) -> bool:
        end = self.text.find("\n", line)
        return 0 <= line < len(self.text) and end >= 0 and not self.text[line:end].strip()

    def _blank_above(self, line: int) -> bool:
        return self._begins(line) or self._blank(self._line_of(line - 1))

    def _begins(self, offset: int) -> bool:
        """Whether a part begins at the offset."""
        return offset == 0 or offset in self._borders

    def _anchor(self, node: cst.CSTNode) -> cst.CSTNode:
        """The nearest statement around the node that begins its row."""
        statement: cst.CSTNode = self.statement_of(node)
        owner = self._parents.get(statement)
        while isinstance(owner, (cst.SimpleStatementSuite, cst.SimpleStatementLine)):
            if isinstance(owner, cst.SimpleStatementLine):
                return owner
            statement = self.statement_of(owner)
            owner = self._parents.get(statement)
        return statement

    def _block(self, code: str, indent: str) -> str:
        """Rows of code at an indentation, in the file's unit; ends with a row end."""
        rows = textwrap.dedent(code).strip("\n").split("\n")
        made = []
        for row in rows:
            stripped = row.lstrip(" ")
            depth, rest = divmod(len(row) - len(stripped), 4)
            made.append(f"{indent}{self.indent_unit * depth}{' ' * rest}{stripped}".rstrip())
        return "".join(f"{row}\n" for row in made)

    def _past_comments(self, offset: int, indent: str) -> int:
        """Past the comments that belong to a block above: those indented deeper than what follows."""
        kept = position = offset
        while position < len(self.text) and position not in self._borders:
            end = self.text.find("\n", position)
            end = len(self.text) if end < 0 else end + 1
            row = self.text[position:end]
            if row.strip() and not (row.lstrip().startswith("#") and len(self._indent(position)) > len(indent)):
                break
            kept = end if row.strip() else kept
            position = end
        return kept

    @cached_property
    def _comments(self) -> list[tuple[int, str]]:
        return sorted((self.range_of(node)[0], node.value) for node in self._ranges if isinstance(node, cst.Comment))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(words_of(self.text)) | self._layout.words


def _parsed_whole(text: str) -> str:
    """The text in a form of which libcst keeps every row: no white space in empty last rows, and a last row end.

    Positions are the same.
    """
    if not text:
        return text
    rows = text.rstrip("\n").split("\n")
    number = len(rows)
    while number and (not rows[number - 1].strip() or rows[number - 1].lstrip().startswith("#")):
        number -= 1
        rows[number] = rows[number] if rows[number].strip() else ""
    return "\n".join(rows) + (text[len(text.rstrip("\n")) :] or "\n")


def _parents_of(module: cst.Module) -> dict[cst.CSTNode, cst.CSTNode]:
    """The parent of each node; libcst's own provider takes several times as long."""
    names: dict[type[cst.CSTNode], list[str]] = {}
    parents: dict[cst.CSTNode, cst.CSTNode] = {}
    pending: list[cst.CSTNode] = [module]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind not in names:
            names[kind] = [one.name for one in fields(kind)]
        for name in names[kind]:
            value = getattr(node, name)
            below = [value] if isinstance(value, cst.CSTNode) else value if isinstance(value, (list, tuple)) else ()
            for child in below:
                if isinstance(child, cst.CSTNode):
                    parents[child] = node
                    pending.append(child)
    return parents
