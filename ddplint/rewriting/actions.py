"""The kinds of action that every rule may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import libcst as cst

from ddplint.findings import Action
from ddplint.rewriting.changes import CannotRewrite
from ddplint.rewriting.file import FileRewriter


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
