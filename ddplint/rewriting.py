"""Rewriting one file: codemods name libcst nodes, this module turns what they ask for into edits of the text.

Nothing is regenerated: the new text is the old one with the edits put in, so what lies outside them stays as it was.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import sys
import textwrap
import tokenize
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TypeVar, cast, overload

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from ddplint.findings import Action, Edit, Span

_Node = TypeVar("_Node", bound=cst.CSTNode)

# what importing a package makes reachable as attributes beside the package itself
_LOADED_WITH = {"torch": ("nn", "nn.functional", "distributed", "utils.data", "nn.parallel")}


class CannotRewrite(Exception):
    """A rewrite that is not possible here; the message is one short phrase."""


class Conflict(CannotRewrite):
    """Two edits of the same text."""


@dataclass(frozen=True, slots=True)
class Change:
    """Replace the characters `start` to `end` of a file's text."""

    start: int
    end: int
    content: str

    def overlaps(self, other: Change) -> bool:
        if self.start == self.end or other.start == other.end:
            point, wide = (self, other) if self.start == self.end else (other, self)
            return wide.start < point.start < wide.end
        return max(self.start, other.start) < min(self.end, other.end)


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch of rows that must stay; `first`: nothing may come before it in its part, `whole`: nothing after it."""

    start: int
    end: int
    first: bool = False
    whole: bool = False

    def hinders(self, change: Change) -> bool:
        if change.start != change.end:
            return max(self.start, change.start) < min(self.end, change.end)
        if change.start == self.start:
            return self.first or not change.content.endswith("\n")
        if change.start == self.end:
            return self.whole or not change.content.startswith("\n")
        return self.start < change.start < self.end


@dataclass(frozen=True, slots=True)
class Layout:
    """What edits of a text must respect where it is made of parts, such as the cells of a notebook.

    `borders` are the offsets right after the last row of each part; `words` are the names that stand in what is kept.
    """

    borders: tuple[int, ...] = ()
    kept: tuple[Kept, ...] = ()
    words: frozenset[str] = frozenset()

    def refusal(self, change: Change) -> str:
        """Why an edit is not possible, or an empty string."""
        if any(change.start < border <= change.end or change.start >= self.borders[-1] for border in self.borders):
            return "the edit would reach from one cell into another"
        if any(kept.hinders(change) for kept in self.kept):
            return "the edit would touch a line of the notebook that only IPython reads"
        return ""


def ordered(changes: Iterable[Change]) -> list[Change]:
    """In the order in which they apply; what is inserted at one place keeps its order."""
    return sorted(changes, key=lambda change: (change.start, change.start != change.end))


def apply_changes(text: str, changes: Iterable[Change]) -> str:
    """The text with the changes put in."""
    pieces: list[str] = []
    position = 0
    for change in ordered(changes):
        if change.start < position:
            raise Conflict("edits overlap")
        pieces += [text[position : change.start], change.content]
        position = change.end
    return "".join([*pieces, text[position:]])


def line_starts(text: str) -> list[int]:
    """Offsets at which the rows begin."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def words_of(text: str) -> list[str]:
    """Whatever in a text could be a name."""
    return re.findall(r"[^\W\d]\w*", text)


def comments_of(code: str) -> list[tuple[int, str]]:
    """Offset and text of each comment; of code that does not tokenize those up to that point."""
    starts = line_starts(code)
    found: list[tuple[int, str]] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                found.append((starts[token.start[0] - 1] + token.start[1], token.string))
    except (tokenize.TokenError, SyntaxError):
        return found
    return found


@dataclass(slots=True)
class _State:
    """What the rewrites did so far; copied to undo them."""

    changes: list[Change] = field(default_factory=list)
    imported: dict[tuple[str, str | None], str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    removed: set[cst.CSTNode] = field(default_factory=set)
    split: set[cst.CSTNode] = field(default_factory=set)
    unused: list[str] = field(default_factory=list)
    extended: dict[cst.CSTNode, list[tuple[int, str]]] = field(default_factory=dict)
    renamed: list[cst.Call] = field(default_factory=list)

    def copy(self) -> _State:
        return _State(
            list(self.changes), dict(self.imported), set(self.names), set(self.removed), set(self.split),
            list(self.unused), {node: list(added) for node, added in self.extended.items()}, list(self.renamed),
        )  # fmt: skip


class FileRewriter:
    """One file's text, its libcst tree and the edits asked for so far.

    Nodes are those of the tree as it was parsed; edits do not change it. A rewrite that touches what another one has
    changed raises `Conflict`, one that is not possible `CannotRewrite`.
    """

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
        self._state = _State()

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
    def node_at(self, span: Span, *types: type[_Node]) -> _Node: ...
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
    def enclosing(self, node: cst.CSTNode, kind: type[_Node], /) -> _Node | None: ...
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

    # edits

    def replace(self, node: cst.CSTNode, new: str | cst.CSTNode) -> None:
        """Put other code in the place of an expression or statement, with parentheses if the place needs them."""
        code = new if isinstance(new, str) else self.module.code_for_node(new)
        if isinstance(node, cst.BaseCompoundStatement):
            start, end = self._line_of(self._first(node)), self._after(node)
            self._change(start, end, self._block(code, self._indent(start)), node)
            return
        if not isinstance(node, cst.BaseExpression):
            start, end = self.range_of(node)
            lines = self._block(code, self.indent_of(node)) if "\n" in code else code
            self._change(start, end, lines.strip(), node)
            return
        start, end = self.outer_range(node)
        if "\n" in self.text[start:end] and node.lpar:
            # parentheses over several rows are the layout of the place
            start, end = self.range_of(node)
        else:
            code = self._fit(node, code)
        self._change(start, end, code, node)

    def wrap(self, node: cst.BaseExpression, template: str) -> None:
        """Put an expression into the place of `{}` in `template`, and the result in its place."""
        before, brace, after = template.partition("{}")
        slot = self.expression(f"{before}{_SLOT}{after}")
        if not brace:
            raise CannotRewrite("a template without {}")
        start, end = self.outer_range(node)
        if not node.lpar and _precedence(node) < _needed_in(slot):
            before, after = f"{before}(", f"){after}"
        if _precedence(slot) < self._needed(node):
            before, after = f"({before}", f"{after})"
        self._guard_string(node, before + after)
        self._insert(start, before)
        self._insert(end, after)

    def unwrap(self, node: cst.BaseExpression, inner: cst.BaseExpression) -> None:
        """Put a part of an expression into its place; edits within the part stay possible."""
        start, end = self.outer_range(node)
        first, last = self.range_of(inner)
        if "\n" in self.text[start:end] and node.lpar:
            start, end = self.range_of(node)
            bare = True
        else:
            bare = _precedence(inner, bare=True) >= self._needed(node) and _stands_alone(self.text[first:last])
        self._change(start, first, "" if bare else "(", node)
        self._change(last, end, "" if bare else ")", node)

    def insert_before(self, node: cst.CSTNode, code: str) -> None:
        """Put statements before the one that holds the node, below the comments that stand above it."""
        statement = self.statement_of(node)
        owner = self._parents.get(statement)
        if isinstance(owner, cst.SimpleStatementSuite):
            self._open(owner)
        if isinstance(owner, (cst.SimpleStatementLine, cst.SimpleStatementSuite)) and (
            isinstance(owner, cst.SimpleStatementSuite) or owner.body[0] is not statement
        ):
            self._split(owner, statement)
            indent = self._inner_indent(owner)
            self._insert(self.range_of(statement)[0], f"{self._block(code, indent).lstrip()}{indent}")
            return
        start = self._line_of(self._first(statement))
        self._insert(start, self._block(code, self._indent(start)))

    def insert_after(self, node: cst.CSTNode, code: str) -> None:
        """Put statements after the one that holds the node."""
        statement = self.statement_of(node)
        owner = self._parents.get(statement)
        if isinstance(owner, cst.SimpleStatementSuite):
            self._open(owner)
        if isinstance(owner, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
            indent = self._inner_indent(owner)
            following = owner.body[owner.body.index(statement) + 1 :] if statement is not owner.body[-1] else ()
            if following:
                self._split(owner, following[0])
                self._insert(self.range_of(following[0])[0], f"{self._block(code, indent).lstrip()}{indent}")
                return
        else:
            indent = self._indent(self._line_of(self._first(statement)))
        end = self._after(statement)
        if isinstance(statement, cst.BaseCompoundStatement):
            end = self._past_comments(end, indent)
        self._insert_below(end, self._block(code, indent))

    def remove(self, node: cst.CSTNode) -> None:
        """Take away the statement that holds the node; its comments stay, an emptied block gets `pass`."""
        statement = self.statement_of(node)
        owner = self._parents.get(statement)
        self._state.removed.add(statement)
        if isinstance(owner, cst.SimpleStatementSuite) or (
            isinstance(owner, cst.SimpleStatementLine) and len(owner.body) > 1
        ):
            rest = [one for one in owner.body if one not in self._state.removed]
            start, end = self.range_of(statement)
            if not rest:
                self._change(start, end, "pass", statement)
                return
            index = owner.body.index(statement)
            if index + 1 < len(owner.body):
                self._change(start, self.range_of(owner.body[index + 1])[0], "", statement)
            else:
                self._change(self.range_of(owner.body[index - 1])[1], end, "", statement)
            return
        line = owner if isinstance(owner, cst.SimpleStatementLine) else statement
        self._state.removed.add(line)
        start, end = self._line_of(self._first(line)), self._after(line)
        indent = self._indent(start)
        comments = [comment for offset, comment in self._comments if start <= offset < end]
        content = "".join(f"{indent}{comment}\n" for comment in comments)
        block = self._parents.get(line)
        if isinstance(block, cst.IndentedBlock) and all(one in self._state.removed for one in block.body):
            content += f"{indent}pass\n"
        elif not content and self._blank(end) and not self._begins(end) and self._blank_above(start):
            end = self.text.index("\n", end) + 1
        if end in self._borders:
            end -= 1
        if self.text[end - 1] != "\n":
            content = content.rstrip("\n")
            if not content and not self._begins(start):
                start -= 1
        self._add(start, end, content)

    def set_keyword(self, call: cst.Call, name: str, value: str) -> None:
        """Give a call the keyword argument, or the one it has another value."""
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == name:
                self.replace(argument.value, value)
                return
        code = f"{name}={value}"
        if not call.args:
            self._insert(self._closing(call), code)
            return
        last = call.args[-1]
        start = self.range_of(last)[0]
        end = self.outer_range(last.value)[1]
        if isinstance(last.value, cst.GeneratorExp) and not last.value.lpar:
            self._insert(start, "(")
            self._insert(end, ")")
        margin = self._indent(self._line_of(start))
        own_row = self._line_of(start) + len(margin) == start
        if not own_row or self._line_of(start) == self._line_of(self.range_of(call)[0]):
            self._insert(end, f", {code}")
            return
        row_end = self.text.find("\n", end)
        comma = last.comma if isinstance(last.comma, cst.Comma) else None
        if comma is None:
            self._insert(end, ",")
        if self.text.find("#", end, row_end) >= 0:
            self._insert(row_end, f"\n{margin}{code}{',' if comma else ''}")
        elif comma is None:
            self._insert(end, f"\n{margin}{code}")
        else:
            self._insert(self.range_of(comma)[1], f"\n{margin}{code},")

    def drop_keyword(self, call: cst.Call, name: str) -> None:
        """Take a keyword argument away from a call; nothing happens if it has none of that name."""
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == name:
                self._drop_item(argument, call.args, self._closing(call))

    def replace_callee(self, call: cst.Call, code: str) -> None:
        """Call something else with the same arguments; those aligned with the parenthesis stay so."""
        self.replace(call.func, code)
        self._state.renamed.append(call)

    # names and imports

    def fresh_name(self, prefix: str) -> str:
        """A name that the file does not use, `prefix` if that is free."""
        taken = self._words | self._state.names | set(dir(builtins))
        name = prefix
        number = 2
        while name in taken:
            name = f"{prefix}_{number}"
            number += 1
        self._state.names.add(name)
        return name

    def is_bound(self, name: str, where: cst.CSTNode | None = None) -> bool:
        """Whether a name means something at `where` (default: at the top of the file), builtins left aside."""
        return any(name in scope.bound for scope in self._scopes_at(where))

    def add_import(
        self,
        module: str,
        name: str | None = None,
        alias: str | None = None,
        where: cst.CSTNode | None = None,
        bare: bool = False,
    ) -> str:
        """The expression under which a module, or a name in it, is reachable at `where`; imports it if need be.

        `alias` is the name to import it under unless the file has another. No `where`: reachable in the whole file.
        `bare`: a name for itself where the file has a `from module import ...`, even if it could be reached otherwise.
        """
        key = (module, name)
        if key in self._state.imported:
            return self._state.imported[key]
        known = self._reachable(module, name, where)
        # a from-import of the same module beats a long dotted path
        if known is not None and known.count(".") < (1 if bare and name else 2):
            return known
        expression = self._extend_from(module, name, where) if name is not None else None
        if expression is None and known is not None:
            return known
        expression = expression or self._new_import(module, name, alias, where)
        self._state.imported[key] = expression
        return expression

    def remove_unused_import(self, name: str) -> None:
        """Take the import of a name away once nothing in the file reads it any more."""
        self._state.unused.append(name)

    def _reachable(self, module: str, name: str | None, where: cst.CSTNode | None) -> str | None:
        full = f"{module}.{name}" if name else module
        candidates: list[tuple[int, str]] = []
        for bound in self._imports(where):
            if bound.target == full:
                candidates.append((0, bound.name))
            elif bound.target == module or full.startswith(f"{bound.target}."):
                rest = full[len(bound.target) + 1 :]
                package = bound.target.partition(".")[0]
                below = bound.target[len(package) + 1 :]
                inner = ".".join(filter(None, [below, rest.rpartition(".")[0] if name else rest]))
                if bound.target == module or inner in _LOADED_WITH.get(package, ()):
                    candidates.append((1 + rest.count("."), f"{bound.name}.{rest}"))
            if bound.path == full or (name and bound.path == module):
                candidates.append((5, full))
        free = [one for one in candidates if not self._is_shadowed(one[1].partition(".")[0], where)]
        return min(free, key=lambda one: one[0])[1] if free else None

    def _imports(self, where: cst.CSTNode | None) -> Iterator[_Bound]:
        yield from _bindings(self._tree.body)
        if where is not None:
            offset = self.range_of(where)[0]
            for scope in self._scopes_at(where):
                if isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    body = scope.node.body
                    yield from _bindings(one for one in body if self._starts[one.lineno - 1] < offset)

    def _is_shadowed(self, name: str, where: cst.CSTNode | None) -> bool:
        """Whether `name` may be something else than what an import bound it to."""
        scopes = self._scopes_at(where) if where is not None else self._scopes
        for scope in scopes:
            if scope.parent is None:
                if scope.count[name] > scope.imports[name]:
                    return True
            elif name in scope.bound and scope.imports[name] != scope.count[name]:
                return True
        return False

    def _taken(self, name: str, where: cst.CSTNode | None) -> bool:
        if name in self._state.names or name in dir(builtins) or name in self._scopes[0].bound:
            return True
        if any(name in scope.bound for scope in (self._scopes_at(where) if where is not None else self._scopes)):
            return True
        return any(name in scope.loads and not scope.sees(name) for scope in self._scopes)

    def _extend_from(self, module: str, name: str, where: cst.CSTNode | None) -> str | None:
        """Add the name to a `from module import ...` that the file has."""
        if self._taken(name, where):
            return None
        for line in self.module.body:
            for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if not isinstance(statement, cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
                    continue
                if statement.relative or statement.module is None or _dotted(statement.module) != module:
                    continue
                if statement in self._state.removed:
                    continue
                last = statement.names[-1]
                end = self.range_of(last.asname or last.name)[1]
                first = self.range_of(last)[0]
                margin = self._indent(self._line_of(first))
                if statement.lpar and margin and self._line_of(first) + len(margin) == first:
                    self._insert(end, f",\n{margin}{name}")
                else:
                    self._insert(end, f", {name}")
                self._state.extended.setdefault(statement, []).append((len(self._state.changes) - 1, name))
                self._state.names.add(name)
                return name
        return None

    def _new_import(self, module: str, name: str | None, alias: str | None, where: cst.CSTNode | None) -> str:
        bound = alias or name or module.partition(".")[0]
        if self._taken(bound, where):
            stem = alias or module.rpartition(".")[2]
            bound = self.fresh_name(f"{name}_" if name else f"{stem}_module")
            alias = bound
        if name is not None:
            code = f"from {module} import {name}" + (f" as {bound}" if bound != name else "")
        else:
            code = f"import {module}" + (f" as {alias}" if alias and alias != module else "")
        self._state.names.add(bound)
        self._place_import(code, module)
        return bound if name is not None or alias else module

    def _place_import(self, code: str, module: str) -> None:
        """Put an import statement where the file keeps its like."""
        header = self._header_imports()
        kind = code.split()[0]
        own = _is_standard(module)
        alike = [one for one in header if _is_standard(one[2]) == own and not one[2].startswith((".", "__future__"))]
        same = [one for one in alike if one[1] == kind]
        smaller = [one for one in same if one[2].lower() <= module.lower()]
        if smaller:
            self._insert_below(self._after(smaller[-1][0]), f"{code}\n")
        elif same:
            self._insert(self._line_of(self._first(same[0][0])), f"{code}\n")
        elif alike and kind == "from":
            self._insert_below(self._after(alike[-1][0]), f"{code}\n")
        elif alike:
            self._insert(self._line_of(self._first(alike[0][0])), f"{code}\n")
        else:
            self._place_first_of_kind(code, own, [one for one in header if one[2] != "__future__"], header)

    def _place_first_of_kind(
        self,
        code: str,
        standard: bool,
        others: list[tuple[cst.SimpleStatementLine, str, str]],
        header: list[tuple[cst.SimpleStatementLine, str, str]],
    ) -> None:
        absolute = [one for one in others if not one[2].startswith(".")]
        if others and (standard or not absolute):
            self._insert(self._line_of(self._first(others[0][0])), f"{code}\n\n")
            return
        if absolute or header:
            offset = self._after((absolute or header)[-1][0])
        elif self.module.get_docstring() is not None:
            offset = self._after(self.module.body[0])
        elif self.module.body:
            self._insert(self._line_of(self._first(self.module.body[0])), f"{code}\n\n")
            return
        else:
            self._insert_below(len(self.text), f"{code}\n")
            return
        crowded = offset < len(self.text) and offset not in self._borders and not self._blank(offset)
        self._insert_below(offset, f"\n{code}\n\n" if crowded else f"\n{code}\n")

    def _header_imports(self) -> list[tuple[cst.SimpleStatementLine, str, str]]:
        """The import lines at the top of the file: line, `import` or `from`, module."""
        found: list[tuple[cst.SimpleStatementLine, str, str]] = []
        for number, line in enumerate(self.module.body):
            if not isinstance(line, cst.SimpleStatementLine):
                if found and not isinstance(line, (cst.FunctionDef, cst.ClassDef)):
                    continue
                break
            first = line.body[0]
            if isinstance(first, cst.Import):
                found.append((line, "import", _dotted(first.names[0].name)))
            elif isinstance(first, cst.ImportFrom):
                module = _dotted(first.module) if first.module is not None else ""
                found.append((line, "from", "." * len(first.relative) + module))
            elif number and found and not isinstance(first, cst.Expr):
                break
        return found

    def _drop_unused(self) -> None:
        """Carry out what `remove_unused_import` was asked for."""
        if not self._state.unused or self.path.endswith("__init__.py"):
            return
        try:
            tree = ast.parse(self.code())
        except SyntaxError:
            return
        nodes = list(ast.walk(tree))
        read = {node.id for node in nodes if isinstance(node, ast.Name)}
        # a name in a string may be exported or a forward reference
        spoken = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for name in list(self._state.unused):
            if (
                name in read
                or name in self._layout.words
                or any(re.search(rf"\b{re.escape(name)}\b", text) for text in spoken if len(text) < 200)
            ):
                continue
            if name in self._state.names or name not in self._loaded:
                continue
            self._drop_import(name)
            self._state.unused.remove(name)

    def _realign(self, call: cst.Call) -> None:
        """Move the rows of a call along with its parenthesis, where they are aligned with it and nothing hinders."""
        if not call.args:
            return
        first = self.range_of(call.args[0])[0]
        row = self._line_of(first)
        before = [one for one in self._state.changes if row <= one.start and one.end <= first]
        shift = sum(len(one.content) - (one.end - one.start) for one in before)
        width = first - row
        end = self._closing(call)
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

    def _drop_import(self, name: str) -> None:
        for line in self.module.body:
            if not isinstance(line, cst.SimpleStatementLine):
                continue
            for statement in line.body:
                if not isinstance(statement, (cst.Import, cst.ImportFrom)):
                    continue
                if isinstance(statement.names, cst.ImportStar):
                    continue
                for alias in statement.names:
                    if _bound_by(alias) != name or statement in self._state.removed:
                        continue
                    if isinstance(statement, cst.Import) and alias.asname is None and "." in _dotted(alias.name):
                        continue
                    comment = line.trailing_whitespace.comment
                    if comment is not None and "noqa" in comment.value:
                        continue
                    others = [one for one in statement.names if one is not alias and one not in self._state.removed]
                    self._state.removed.add(alias)
                    added = self._state.extended.get(statement)
                    if others:
                        self._drop_item(alias, statement.names, self.range_of(statement)[1])
                    elif added:
                        # the first name that was added takes the place of the one that goes
                        index, new = added[0]
                        self._state.changes[index] = Change(*self.range_of(alias), new)
                    else:
                        self.remove(statement)
                    return

    def _drop_item(self, item: cst.CSTNode, items: Iterable[cst.CSTNode], closing: int) -> None:
        """Take one of several things between commas away, with one comma."""
        row = list(items)
        index = row.index(item)
        start, end = self.range_of(item)
        if index + 1 < len(row):
            end = self.range_of(row[index + 1])[0]
            comments = [comment for offset, comment in self._comments if start <= offset < end]
            if comments:
                end = self.text.index(",", self.range_of(item)[1]) + 1
        elif index > 0:
            start = self._item_end(row[index - 1])
        else:
            end = closing if not self.text[end:closing].strip(" ,") else end
        self._change(start, end, "", item)

    def _item_end(self, item: cst.CSTNode) -> int:
        if isinstance(item, cst.Arg):
            return self.outer_range(item.value)[1]
        return self.range_of(item)[1]

    # what the edits amount to

    def checkpoint(self) -> object:
        """What `rollback` returns to."""
        return self._state.copy()

    def rollback(self, checkpoint: object) -> None:
        """Forget the edits made since."""
        assert isinstance(checkpoint, _State)
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
        assert checkpoint is None or isinstance(checkpoint, _State)
        return self._state.changes[len(checkpoint.changes) if checkpoint is not None else 0 :]

    @property
    def changes(self) -> list[Change]:
        """All edits, in the order in which they were asked for; a later one may give an earlier one another form."""
        return list(self._state.changes)

    def edit(self, change: Change) -> Edit:
        """A change as plain data."""
        return Edit(Span(self.path, *self.place(change.start), *self.place(change.end)), change.content)

    def code(self) -> str:
        """The text with the edits put in."""
        return apply_changes(self.text, self._state.changes)

    def _insert(self, offset: int, content: str) -> None:
        self._add(offset, offset, content)

    def _insert_below(self, offset: int, rows: str) -> None:
        """Put rows after the one that ends at `offset`, in the part to which that one belongs."""
        if offset in self._borders:
            self._insert(offset - 1, f"\n{rows[:-1]}")
        elif offset > 0 and self.text[offset - 1] != "\n":
            self._insert(offset, f"\n{rows[:-1]}")
        else:
            self._insert(offset, rows)

    def _begins(self, offset: int) -> bool:
        """Whether a part begins at the offset."""
        return offset == 0 or offset in self._borders

    def _change(self, start: int, end: int, content: str, node: cst.CSTNode) -> None:
        """Replace a stretch; comments that would be lost with it move above the statement."""
        self._guard_string(node, content)
        self._add(start, end, content)
        kept = Counter(comment for _, comment in comments_of(content))
        lost = []
        for offset, comment in self._comments:
            if start <= offset < end:
                if kept[comment]:
                    kept[comment] -= 1
                else:
                    lost.append(comment)
        if lost:
            line = self._line_of(self._first(self._anchor(node)))
            indent = self._indent(line)
            self._insert(line, "".join(f"{indent}{comment}\n" for comment in lost))

    def _add(self, start: int, end: int, content: str) -> None:
        if start < end and end in self._borders and content.endswith("\n"):
            # the last row end of a part belongs to the border
            end, content = end - 1, content[:-1]
        change = Change(start, end, content)
        if start == end and not content:
            return
        if any(change.overlaps(other) for other in self._state.changes):
            raise Conflict(f"two edits of {self.path}:{self.place(start)[0]}")
        self._state.changes.append(change)

    def _guard_string(self, node: cst.CSTNode, content: str) -> None:
        """Before Python 3.12 an f-string cannot hold its own quote, a backslash or a row end."""
        outer = self.enclosing(node, cst.FormattedString)
        if outer is not None and re.search(rf"[\\\n#]|{outer.quote[0]}", content):
            raise CannotRewrite("within an f-string")

    def _fit(self, node: cst.BaseExpression, code: str) -> str:
        """`code`, in parentheses if it needs them in the place of `node`."""
        tall = "\n" in code
        if _precedence(self.expression(f"({code}\n)" if tall else code), bare=tall) < self._needed(node):
            return f"({code})"
        return code if _stands_alone(code) or not self._at_row_level(node) else f"({code})"

    def _at_row_level(self, node: cst.CSTNode) -> bool:
        """Whether a row end in the place of the node would end the statement."""
        child = node
        for above in self.ancestors(node):
            if isinstance(above, cst.BaseExpression) and above.lpar:
                return False
            inside = isinstance(above, (cst.Arg, cst.Element, cst.DictElement, cst.SubscriptElement))
            if inside and not (isinstance(above, cst.Element) and isinstance(self._parents.get(above), cst.Tuple)):
                return False
            if isinstance(above, (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)):
                return False
            if isinstance(above, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
                return True
            child = above
        return child is not None

    def _needed(self, node: cst.CSTNode) -> int:
        parent = self._parents.get(node)
        return _required(parent, node)

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

    def _inner_indent(self, owner: cst.CSTNode) -> str:
        own = self.indent_of(owner)
        return f"{own}{self.indent_unit}" if isinstance(owner, cst.SimpleStatementSuite) else own

    def _open(self, suite: cst.SimpleStatementSuite) -> None:
        """Move what stands after a colon to a row of its own."""
        if suite in self._state.split:
            return
        self._state.split.add(suite)
        start = self.range_of(suite)[0]
        blank = start - len(self.text[:start].rstrip(" \t")) if start else 0
        colon = start - blank
        self._add(colon, start, f"\n{self._inner_indent(suite)}")

    def _split(self, owner: cst.SimpleStatementLine | cst.SimpleStatementSuite, statement: cst.CSTNode) -> None:
        """Begin a row with a statement that stands after a semicolon."""
        body: list[cst.CSTNode] = list(owner.body)
        index = body.index(statement)
        if index == 0 or statement in self._state.split:
            return
        self._state.split.add(statement)
        end, start = self.range_of(body[index - 1])[1], self.range_of(statement)[0]
        self._add(end, start, f"\n{self._inner_indent(owner)}")

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

    def _closing(self, call: cst.Call) -> int:
        """The offset of a call's closing parenthesis."""
        return self.range_of(call)[1] - 1

    @cached_property
    def _comments(self) -> list[tuple[int, str]]:
        return sorted((self.range_of(node)[0], node.value) for node in self._ranges if isinstance(node, cst.Comment))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(words_of(self.text)) | self._layout.words

    @cached_property
    def _tree(self) -> ast.Module:
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            raise CannotRewrite("the file cannot be parsed") from None

    @cached_property
    def _loaded(self) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))

    @cached_property
    def _scopes(self) -> list[_Scope]:
        return _scopes_of(self._tree)

    def _scopes_at(self, where: cst.CSTNode | None) -> list[_Scope]:
        """The scopes in which names are looked up at a place, the module's first."""
        if where is None:
            return self._scopes[:1]
        row, column = self.place(self.range_of(where)[0])
        if not self.text.isascii():
            start = self._starts[row - 1]
            column = len(self.text[start : start + column - 1].encode("utf-8", "surrogatepass")) + 1
        here = (row, column - 1)
        around = [scope for scope in self._scopes if scope.start <= here < scope.end]
        # names of a class body are not seen from the functions in it
        return [one for one in around if not isinstance(one.node, ast.ClassDef) or one is around[-1]]


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


_SLOT = "_slot_"
_EXPRESSION: tuple[type[cst.CSTNode], ...] = (cst.BaseExpression,)
_STRING = (cst.SimpleString, cst.FormattedString)
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


# how tightly expressions bind


_TIGHTEST = 20
_BINARY: Mapping[type[cst.CSTNode], int] = {
    cst.BitOr: 7,
    cst.BitXor: 8,
    cst.BitAnd: 9,
    cst.LeftShift: 10,
    cst.RightShift: 10,
    cst.Add: 11,
    cst.Subtract: 11,
    cst.Multiply: 12,
    cst.Divide: 12,
    cst.FloorDivide: 12,
    cst.Modulo: 12,
    cst.MatrixMultiply: 12,
    cst.Power: 14,
}


def _precedence(node: cst.CSTNode, bare: bool = False) -> int:
    """How tightly an expression binds; parentheses of its own count unless `bare`."""
    if isinstance(node, cst.BaseExpression) and node.lpar and not bare:
        return _TIGHTEST
    if isinstance(node, (cst.NamedExpr, cst.Yield, cst.GeneratorExp)):
        return 0
    if isinstance(node, cst.Tuple):
        return 0
    if isinstance(node, cst.Lambda):
        return 1
    if isinstance(node, cst.IfExp):
        return 2
    if isinstance(node, cst.BooleanOperation):
        return 3 if isinstance(node.operator, cst.Or) else 4
    if isinstance(node, cst.UnaryOperation):
        return 5 if isinstance(node.operator, cst.Not) else 13
    if isinstance(node, cst.Comparison):
        return 6
    if isinstance(node, cst.BinaryOperation):
        return _BINARY.get(type(node.operator), 7)
    if isinstance(node, cst.Await):
        return 15
    if isinstance(node, (cst.Integer, cst.ConcatenatedString)):
        # `1.real` and adjacent strings before an attribute
        return _TIGHTEST - 1
    return _TIGHTEST


def _required(parent: cst.CSTNode | None, child: cst.CSTNode) -> int:
    """How tightly an expression must bind to stand where `child` does."""
    if isinstance(parent, cst.Attribute):
        return _TIGHTEST
    if isinstance(parent, (cst.Call, cst.Subscript)):
        return _TIGHTEST - 1
    if isinstance(parent, cst.BinaryOperation):
        own = _precedence(parent, bare=True)
        if isinstance(parent.operator, cst.Power):
            return 15 if parent.left is child else 13
        return own if parent.left is child else own + 1
    if isinstance(parent, cst.UnaryOperation):
        return _precedence(parent, bare=True)
    if isinstance(parent, (cst.Comparison, cst.ComparisonTarget, cst.StarredElement, cst.StarredDictElement)):
        return 7
    if isinstance(parent, cst.BooleanOperation):
        own = _precedence(parent, bare=True)
        return own if parent.left is child else own + 1
    if isinstance(parent, cst.Await):
        return _TIGHTEST
    if isinstance(parent, cst.IfExp):
        return 1 if parent.orelse is child else 3
    if isinstance(parent, (cst.CompFor, cst.CompIf, cst.FormattedStringExpression)):
        return 3
    if isinstance(parent, (cst.Arg,)):
        return 7 if parent.star else 1
    if isinstance(parent, (cst.ConcatenatedString,)):
        return _TIGHTEST
    return 1


def _needed_in(template: cst.BaseExpression) -> int:
    """How tightly what replaces the slot of a template must bind."""
    pending: list[tuple[cst.CSTNode | None, cst.CSTNode]] = [(None, template)]
    while pending:
        parent, node = pending.pop()
        if isinstance(node, cst.Name) and node.value == _SLOT:
            return _required(parent, node)
        pending += [(node, child) for child in node.children]
    raise CannotRewrite("a template without {}")


def _stands_alone(code: str) -> bool:
    """Whether an expression over several rows needs no parentheses."""
    if "\n" not in code:
        return True
    try:
        tree = ast.parse(f"_ = {code}")
    except SyntaxError:
        return False
    return len(tree.body) == 1


# names


@dataclass(frozen=True, slots=True)
class _Bound:
    """A name that an import binds, what it stands for, and for `import a.b` the whole dotted path."""

    name: str
    target: str
    path: str = ""


def _bindings(body: Iterable[ast.stmt]) -> Iterator[_Bound]:
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname:
                    yield _Bound(alias.asname, alias.name)
                else:
                    root = alias.name.partition(".")[0]
                    yield _Bound(root, root, alias.name)
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            for alias in statement.names:
                yield _Bound(alias.asname or alias.name, f"{statement.module}.{alias.name}")


@dataclass(slots=True)
class _Scope:
    """One module, class, function, lambda or comprehension: the names it binds and reads."""

    node: ast.AST
    parent: _Scope | None
    start: tuple[int, int]
    end: tuple[int, int]
    count: Counter[str] = field(default_factory=Counter)
    imports: Counter[str] = field(default_factory=Counter)
    loads: set[str] = field(default_factory=set)

    @property
    def bound(self) -> Counter[str]:
        return self.count

    def sees(self, name: str) -> bool:
        """Whether this scope or a function around it binds the name, the module left aside."""
        scope: _Scope | None = self
        while scope is not None and scope.parent is not None:
            if name in scope.count and (scope is self or not isinstance(scope.node, ast.ClassDef)):
                return True
            scope = scope.parent
        return False


_NEW_SCOPE = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def _scopes_of(tree: ast.Module) -> list[_Scope]:
    top = _Scope(tree, None, (0, 0), (sys.maxsize, 0))
    scopes = [top]
    pending: list[tuple[ast.AST, _Scope]] = [(child, top) for child in ast.iter_child_nodes(tree)]
    while pending:
        node, scope = pending.pop(0)
        _bind(node, scope, top)
        inner = scope
        if isinstance(node, _NEW_SCOPE):
            start = (node.lineno, node.col_offset)
            inner = _Scope(node, scope, start, (node.end_lineno or node.lineno, node.end_col_offset or 0))
            scopes.append(inner)
            if not isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.ClassDef)):
                arguments = node.args
                plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                every = [*plain, arguments.vararg, arguments.kwarg]
                inner.count.update(one.arg for one in every if one is not None)
        outside: list[ast.AST] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            outside = list(node.decorator_list)
        pending += [(child, scope if child in outside else inner) for child in ast.iter_child_nodes(node)]
    return scopes


def _bind(node: ast.AST, scope: _Scope, top: _Scope) -> None:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load):
            scope.loads.add(node.id)
        else:
            scope.count[node.id] += 1
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        scope.count[node.name] += 1
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.count[name] += 1
            scope.imports[name] += 1
    elif isinstance(node, ast.ExceptHandler) and node.name:
        scope.count[node.name] += 1
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        top.count.update(node.names)
    elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
        scope.count[node.name] += 1


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _bound_by(alias: cst.ImportAlias) -> str:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return _dotted(alias.name).partition(".")[0]


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


# the kinds of action that every rule may use


def _replace_text(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.replace(file.node_at(action.span), arguments["text"])


def _replace_callee(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    call = file.call_at(action.span)
    if "module" in arguments:
        bare = isinstance(call.func, cst.Name)
        code = file.add_import(arguments["module"], arguments.get("name"), arguments.get("alias"), call, bare)
    else:
        code = arguments["text"]
    root = _root(call.func)
    file.replace_callee(call, code)
    if root is not None:
        file.remove_unused_import(root)


def _wrap(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.wrap(file.expression_at(action.span), arguments["template"])


def _unwrap_call(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    call = file.call_at(action.span)
    if arguments.get("keep", "argument") == "receiver":
        if not isinstance(call.func, cst.Attribute):
            raise CannotRewrite("no receiver to keep")
        inner = call.func.value
    elif not call.args or call.args[0].star:
        raise CannotRewrite("no argument to keep")
    else:
        inner = call.args[0].value
    root = _root(call.func)
    file.unwrap(call, inner)
    if root is not None:
        file.remove_unused_import(root)


def _set_keyword(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.set_keyword(file.call_at(action.span), arguments["name"], arguments["value"])


def _drop_keyword(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.drop_keyword(file.call_at(action.span), arguments["name"])


def _insert_before(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.insert_before(file.node_at(action.span), arguments["code"])


def _insert_after(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.insert_after(file.node_at(action.span), arguments["code"])


def _remove_statement(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.remove(file.node_at(action.span))


def _add_import(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.add_import(arguments["module"], arguments.get("name"), arguments.get("alias"))


def _remove_unused_import(file: FileRewriter, action: Action, arguments: Mapping[str, str]) -> None:
    file.remove_unused_import(arguments["name"])


def _root(node: cst.BaseExpression) -> str | None:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node.value if isinstance(node, cst.Name) else None


COMMON: Mapping[str, Callable[[FileRewriter, Action, Mapping[str, str]], None]] = {
    "replace-text": _replace_text,
    "replace-callee": _replace_callee,
    "wrap": _wrap,
    "unwrap-call": _unwrap_call,
    "set-keyword": _set_keyword,
    "drop-keyword": _drop_keyword,
    "insert-before": _insert_before,
    "insert-after": _insert_after,
    "remove-statement": _remove_statement,
    "add-import": _add_import,
    "remove-unused-import": _remove_unused_import,
}


def rewrite_common(action: Action, file: FileRewriter) -> None:
    """Carry out an action of one of the kinds that every rule may use."""
    if action.kind not in COMMON:
        raise LookupError(f"no codemod for actions of kind `{action.kind}`")
    COMMON[action.kind](file, action, dict(action.arguments))
