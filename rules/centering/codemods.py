"""How the repair of DDP301 changes a file's text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddplint.findings import Action

if TYPE_CHECKING:
    import libcst as cst

    from ddplint.rewriting import FileRewriter


def drop_centring(file: FileRewriter, action: Action) -> None:
    """Leave what a subtraction or a centring call gets; with it goes a root that nothing else reads."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    node = file.node_at(action.span)
    if isinstance(node, cst.AugAssign):
        file.remove(node)
        _drop_root(file, node.value, node)
        return
    if isinstance(node, cst.Call):
        given = dict(action.arguments)
        named = [one for one in node.args if one.keyword is not None and one.keyword.value == given["name"]]
        plain = [one for one in node.args if one.keyword is None and not one.star]
        index = int(given["index"])
        if not named and (index >= len(plain) or any(one.star for one in node.args)):
            raise CannotRewrite("what the call centres is not visible")
        kept = named[0].value if named else plain[index].value
        _keep(file, node, kept)
        callee = node.func
        while isinstance(callee, cst.Attribute):
            callee = callee.value
        if isinstance(callee, cst.Name):
            file.remove_unused_import(callee.value)
        return
    if not isinstance(node, cst.BinaryOperation):
        raise CannotRewrite("no subtraction at this place")
    _keep(file, node, node.left)
    _drop_root(file, node.right, node)


def _keep(file: FileRewriter, node: cst.BaseExpression, kept: cst.BaseExpression) -> None:
    """Put a part of an expression into its place, or take the whole assignment away where it would say `x = x`."""
    import libcst as cst

    owner = file.parent(node)
    whole = isinstance(owner, cst.Assign) and owner.value is node and len(owner.targets) == 1
    if isinstance(owner, cst.Assign) and whole and file.code_of(owner.targets[0].target) == file.code_of(kept):
        file.remove(owner)
    else:
        file.unwrap(node, kept)


def _drop_root(file: FileRewriter, root: cst.BaseExpression, dropped: cst.CSTNode) -> None:
    """Take away `root = joints[...]` where only what is dropped reads it."""
    import libcst as cst

    function = file.enclosing(dropped, cst.FunctionDef)
    if function is None:
        return
    for name in sorted(_names_in(root)):
        uses = [node for node in _nodes(function) if isinstance(node, cst.Name) and node.value == name]
        inside = [node for node in uses if node is root or root in file.ancestors(node)]
        outside = [node for node in uses if node not in inside]
        target = file.parent(outside[0]) if len(outside) == 1 else None
        made = file.parent(target) if isinstance(target, cst.AssignTarget) else None
        if not isinstance(made, cst.Assign) or len(made.targets) != 1:
            continue
        calls = [node for node in _nodes(made.value) if isinstance(node, cst.Call)]
        selects = isinstance(made.value, (cst.Subscript, cst.Call))
        if selects and all(isinstance(one.func, cst.Attribute) for one in calls):
            file.remove(made)


def _names_in(node: cst.CSTNode) -> set[str]:
    import libcst as cst

    return {one.value for one in _nodes(node) if isinstance(one, cst.Name)}


def _nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)
