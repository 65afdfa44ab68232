"""Edits that codemods ask for by naming nodes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import libcst as cst

from ddplint.rewriting.changes import CannotRewrite, Change, Conflict, Layout, apply_changes, comments_of
from ddplint.rewriting.precedence import SLOT, needed_in, precedence_of, required_of, stands_alone
from ddplint.rewriting.tree import Tree


@dataclass(slots=True)
class State:
    """What the rewrites did so far; copied to undo them."""

    changes: list[Change] = field(default_factory=list)
    imported: dict[tuple[str, str | None], str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    removed: set[cst.CSTNode] = field(default_factory=set)
    split: set[cst.CSTNode] = field(default_factory=set)
    unused: list[str] = field(default_factory=list)
    extended: dict[cst.CSTNode, list[tuple[int, str]]] = field(default_factory=dict)
    renamed: list[cst.Call] = field(default_factory=list)

    def copy(self) -> State:
        return State(
            list(self.changes), dict(self.imported), set(self.names), set(self.removed), set(self.split),
            list(self.unused), {node: list(added) for node, added in self.extended.items()}, list(self.renamed),
        )  # fmt: skip


class Edits(Tree):
    """A file's tree and the edits asked for so far."""

    def __init__(self, path: str, text: str, layout: Layout | None = None) -> None:
        super().__init__(path, text, layout)
        self._state = State()

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
        slot = self.expression(f"{before}{SLOT}{after}")
        if not brace:
            raise CannotRewrite("a template without {}")
        start, end = self.outer_range(node)
        if not node.lpar and precedence_of(node) < needed_in(slot):
            before, after = f"{before}(", f"){after}"
        if precedence_of(slot) < self._needed(node):
            before, after = f"({before}", f"{after})"
        self._guard_string(node, before + after)
        self.insert_text(start, before)
        self.insert_text(end, after)

    def unwrap(self, node: cst.BaseExpression, inner: cst.BaseExpression) -> None:
        """Put a part of an expression into its place; edits within the part stay possible."""
        start, end = self.outer_range(node)
        first, last = self.range_of(inner)
        if "\n" in self.text[start:end] and node.lpar:
            start, end = self.range_of(node)
            bare = True
        else:
            bare = precedence_of(inner, bare=True) >= self._needed(node) and stands_alone(self.text[first:last])
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
            self.insert_text(self.range_of(statement)[0], f"{self._block(code, indent).lstrip()}{indent}")
            return
        start = self._line_of(self._first(statement))
        self.insert_text(start, self._block(code, self._indent(start)))

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
                self.insert_text(self.range_of(following[0])[0], f"{self._block(code, indent).lstrip()}{indent}")
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
            self.insert_text(self.closing_of(call), code)
            return
        last = call.args[-1]
        start = self.range_of(last)[0]
        end = self.outer_range(last.value)[1]
        if isinstance(last.value, cst.GeneratorExp) and not last.value.lpar:
            self.insert_text(start, "(")
            self.insert_text(end, ")")
        margin = self._indent(self._line_of(start))
        own_row = self._line_of(start) + len(margin) == start
        if not own_row or self._line_of(start) == self._line_of(self.range_of(call)[0]):
            self.insert_text(end, f", {code}")
            return
        row_end = self.text.find("\n", end)
        comma = last.comma if isinstance(last.comma, cst.Comma) else None
        if comma is None:
            self.insert_text(end, ",")
        if self.text.find("#", end, row_end) >= 0:
            self.insert_text(row_end, f"\n{margin}{code}{',' if comma else ''}")
        elif comma is None:
            self.insert_text(end, f"\n{margin}{code}")
        else:
            self.insert_text(self.range_of(comma)[1], f"\n{margin}{code},")

    def drop_keyword(self, call: cst.Call, name: str) -> None:
        """Take a keyword argument away from a call; nothing happens if it has none of that name."""
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == name:
                self.drop_item(argument, call.args, self.closing_of(call))

    def replace_callee(self, call: cst.Call, code: str) -> None:
        """Call something else with the same arguments; those aligned with the parenthesis stay so."""
        self.replace(call.func, code)
        self._state.renamed.append(call)

    def drop_item(self, item: cst.CSTNode, items: Iterable[cst.CSTNode], closing: int) -> None:
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

    def code(self) -> str:
        """The text with the edits put in."""
        return apply_changes(self.text, self._state.changes)

    # how they are put in

    def insert_text(self, offset: int, content: str) -> None:
        """Put text at an offset, for what no other edit says."""
        self._add(offset, offset, content)

    def _insert_below(self, offset: int, rows: str) -> None:
        """Put rows after the one that ends at `offset`, in the part to which that one belongs."""
        if offset in self._borders:
            self.insert_text(offset - 1, f"\n{rows[:-1]}")
        elif offset > 0 and self.text[offset - 1] != "\n":
            self.insert_text(offset, f"\n{rows[:-1]}")
        else:
            self.insert_text(offset, rows)

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
            self.insert_text(line, "".join(f"{indent}{comment}\n" for comment in lost))

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
        if precedence_of(self.expression(f"({code}\n)" if tall else code), bare=tall) < self._needed(node):
            return f"({code})"
        return code if stands_alone(code) or not self._at_row_level(node) else f"({code})"

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
        return required_of(parent, node)

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
