"""How the repair of DDP201 changes a file's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddplint.findings import Action
from ddplint.rules.repairs import place_of_argument

if TYPE_CHECKING:
    from ddplint.rewriting import FileRewriter


def sum_empty_slice(file: FileRewriter, action: Action) -> None:
    """Put the sum of an empty slice of a parameter in the place of an expression."""
    import libcst as cst

    node = file.expression_at(action.span)
    parameter = file.expression_at(place_of_argument(action, dict(action.arguments)["parameter"]))
    code = file.code_of(parameter)
    if not isinstance(parameter, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        code = f"({code})"
    if not isinstance(node, cst.Call):
        file.replace(node, f"{code}.flatten()[:0].sum()")
        return
    options = "".join(f", {file.code_of(one)}" for one in node.args if one.keyword and one.keyword.value == "dtype")
    argument = not {*node.args}.isdisjoint(file.ancestors(parameter))
    if argument and file.code_of(node.func).endswith("sum"):
        file.replace(node, f"{file.code_of(node.func)}({code}.flatten()[:0]{options})")
    else:
        file.replace(node, f"{code}.flatten()[:0].sum({options[2:]})")
