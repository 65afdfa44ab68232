"""How the repairs of DDP203 change a file's text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ddplint.findings import Action

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter


def _apply_sigmoid(file: FileRewriter, action: Action) -> None:
    """Put a sigmoid around an expression."""
    node = file.expression_at(action.span)
    function = f"{file.add_import('torch', where=node)}.sigmoid"
    start, _ = file.outer_range(node)
    if len(node.lpar) == 1 and not file.text[start - 1 : start].isalnum():
        # the parentheses that it has become those of the call
        file.insert_text(start, function)
    else:
        file.wrap(node, f"{function}({{}})")


def _drop_layer(file: FileRewriter, action: Action) -> None:
    """Take the last layer of a `Sequential` away."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    layer = file.call_at(action.span)
    container = file.enclosing(layer, cst.Call)
    if container is None or not container.args or container.args[-1].value is not layer:
        raise CannotRewrite("the sigmoid is not the last layer")
    file.drop_item(container.args[-1], container.args, file.closing_of(container))
    root: cst.BaseExpression = layer.func
    while isinstance(root, cst.Attribute):
        root = root.value
    if isinstance(root, cst.Name):
        file.remove_unused_import(root.value)


def _name_logits(file: FileRewriter, action: Action) -> None:
    """Put what the sigmoid is applied to into a variable of its own."""
    import libcst as cst

    call, name = file.call_at(action.span), dict(action.arguments)["name"]
    inner = call.args[0].value if call.args else call.func.value if isinstance(call.func, cst.Attribute) else call
    code = file.code_of(inner).replace(f"\n{file.indent_of(call)}", "\n")
    file.insert_before(call, f"{name} = {code}")
    file.replace(inner, name)


CODEMODS: dict[str, Callable[[FileRewriter, Action], None]] = {
    "apply-sigmoid": _apply_sigmoid,
    "drop-layer": _drop_layer,
    "name-logits": _name_logits,
}
