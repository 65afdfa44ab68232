"""How tightly expressions bind, and when one needs parentheses."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import libcst as cst

from ddplint.rewriting.changes import CannotRewrite

# stands for what is put into a template
SLOT = "_slot_"

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


def precedence_of(node: cst.CSTNode, bare: bool = False) -> int:
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


def required_of(parent: cst.CSTNode | None, child: cst.CSTNode) -> int:
    """How tightly an expression must bind to stand where `child` does."""
    if isinstance(parent, cst.Attribute):
        return _TIGHTEST
    if isinstance(parent, (cst.Call, cst.Subscript)):
        return _TIGHTEST - 1
    if isinstance(parent, cst.BinaryOperation):
        own = precedence_of(parent, bare=True)
        if isinstance(parent.operator, cst.Power):
            return 15 if parent.left is child else 13
        return own if parent.left is child else own + 1
    if isinstance(parent, cst.UnaryOperation):
        return precedence_of(parent, bare=True)
    if isinstance(parent, (cst.Comparison, cst.ComparisonTarget, cst.StarredElement, cst.StarredDictElement)):
        return 7
    if isinstance(parent, cst.BooleanOperation):
        own = precedence_of(parent, bare=True)
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


def needed_in(template: cst.BaseExpression) -> int:
    """How tightly what replaces the slot of a template must bind."""
    pending: list[tuple[cst.CSTNode | None, cst.CSTNode]] = [(None, template)]
    while pending:
        parent, node = pending.pop()
        if isinstance(node, cst.Name) and node.value == SLOT:
            return required_of(parent, node)
        pending += [(node, child) for child in node.children]
    raise CannotRewrite("a template without {}")


def stands_alone(code: str) -> bool:
    """Whether an expression over several rows needs no parentheses."""
    if "\n" not in code:
        return True
    try:
        tree = ast.parse(f"_ = {code}")
    except SyntaxError:
        return False
    return len(tree.body) == 1
