"""How the repairs of DDP302 change a file's text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ddplint.findings import Action

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter

GENERATOR = "set-generator"
OWN_GENERATOR = "own-generator"
OVERRIDE = "override-in-dict"
PARAMETER = "add-parameter"
SPLIT = "training-split-only"


def _set_generator(file: FileRewriter, action: Action) -> None:
    given, call = dict(action.arguments), file.call_at(action.span)
    file.set_keyword(call, given["name"], f"{file.add_import(given['module'], where=call)}.{given['make']}")


def _draw_from_own(file: FileRewriter, action: Action) -> None:
    """`random.shuffle(x)` becomes `random.Random(0).shuffle(x)`."""
    import libcst as cst

    given, call = dict(action.arguments), file.call_at(action.span)
    module, _, maker = given["generator"].rpartition(".")
    root = call.func
    while isinstance(root, cst.Attribute):
        root = root.value
    made = file.add_import(module, maker, where=call)
    file.replace_callee(call, f"{made}(0).{given['method']}")
    if isinstance(root, cst.Name):
        file.remove_unused_import(root.value)


def _override(file: FileRewriter, action: Action) -> None:
    given, node = dict(action.arguments), file.expression_at(action.span)
    file.replace(node, f"{{**{file.code_of(node)}, {file.string(given['name'])}: {given['value']}}}")


def _add_parameter(file: FileRewriter, action: Action) -> None:
    """A further parameter of the function around a node, after those that it has."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    given, inner = dict(action.arguments), file.node_at(action.span)
    name, default = given["name"], given["default"]
    function = file.enclosing(inner, cst.FunctionDef)
    if function is None or file.is_bound(name, inner):
        raise CannotRewrite(f"no place for a parameter `{name}`")
    parameters = function.params
    star = [parameters.star_arg] if isinstance(parameters.star_arg, cst.Param) else []
    last = [*parameters.posonly_params, *parameters.params, *star, *parameters.kwonly_params][-1:]
    if not last or (not parameters.params and not star and not parameters.kwonly_params):
        raise CannotRewrite(f"no place for a parameter `{name}`")
    end = max(
        file.outer_range(part)[1]
        for part in (last[0].name, getattr(last[0].annotation, "annotation", None), last[0].default)
        if part
    )
    start = file.range_of(last[0].name)[0]
    row = file.text.rfind("\n", 0, start) + 1
    margin = file.text[row:start]
    file.insert_text(end, f",\n{margin}{name}={default}" if margin.isspace() else f", {name}={default}")


def _shuffle_training_only(file: FileRewriter, action: Action) -> None:
    given, call = dict(action.arguments), file.call_at(action.span)
    file.set_keyword(call, given["name"], f"({given['variable']} == {file.string(given['key'])})")


CODEMODS: dict[str, Callable[[FileRewriter, Action], None]] = {
    GENERATOR: _set_generator,
    OWN_GENERATOR: _draw_from_own,
    OVERRIDE: _override,
    PARAMETER: _add_parameter,
    SPLIT: _shuffle_training_only,
}
