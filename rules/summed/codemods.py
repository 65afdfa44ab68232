"""How the repairs of DDP202 change a file's text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ddplint.findings import Action
from ddplint.rules.repairs import place_of_argument
from ddplint.rules.summed.repair import AVERAGE, DIVIDE

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter


def _divide(file: FileRewriter, action: Action) -> None:
    """Divide a sum, or the product that it ends: `weight * x.sum() / divisor` needs no parentheses."""
    import libcst as cst

    given = dict(action.arguments)
    divisor = given.get("by", "")
    if not divisor:
        tensor = file.expression_at(place_of_argument(action, given["of"]))
        divisor = f"{file.code_of(tensor)}.shape[0]"
    node = file.expression_at(action.span)
    owner = file.parent(node)
    while isinstance(owner, cst.BinaryOperation) and isinstance(owner.operator, cst.Multiply) and owner.right is node:
        node, owner = owner, file.parent(owner)
    file.wrap(node, f"{{}} / {divisor}")


def _average(file: FileRewriter, action: Action) -> None:
    """`sum` becomes `mean`, with the same arguments."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    call = file.call_at(action.span)
    if not isinstance(call.func, cst.Attribute):
        raise CannotRewrite("the sum is called by a name of its own")
    file.replace(call.func.attr, "mean")


CODEMODS: dict[str, Callable[[FileRewriter, Action], None]] = {AVERAGE: _average, DIVIDE: _divide}
