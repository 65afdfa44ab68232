"""How the repairs of DDP101 change a file's text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from ddplint.findings import Action, Span
from ddplint.rules.repairs import place_of_argument

if TYPE_CHECKING:
    import libcst as cst

    from ddplint.rewriting import FileRewriter


def _sum_over_ranks(file: FileRewriter, action: Action) -> None:
    """Add statements that all-reduce tensors in place, and numbers through one tensor of all of them."""
    import libcst as cst

    given = dict(action.arguments)
    statement = file.node_at(action.span, cst.For, cst.With)
    dist = file.add_import("torch.distributed", alias="dist", where=statement)
    tensors, numbers = given["tensors"].split(), given["numbers"].split()
    rows = [f"{dist}.all_reduce({name})" for name in tensors]
    before: list[str] = []
    values = list(numbers)
    if given["length"]:
        batches = file.fresh_name("batches")
        for row in given["lengths"].split(";"):
            file.replace(file.call_at(place_of_argument(action, row)), batches)
        numbers.append(batches)
        values.append(batches if given["single"] else given["length"])
        if given["single"]:
            before.append(f"{batches} = {given['length']}")
    if numbers:
        rows += _summed_numbers(file, statement, numbers, values, given, dist)
    file.insert_after(statement, "\n".join([*before, *_if_distributed(rows, given, dist)]))


def _summed_numbers(
    file: FileRewriter, where: cst.CSTNode, names: list[str], values: list[str], given: dict[str, str], dist: str
) -> list[str]:
    """Statements that all-reduce the values of names through one tensor."""
    torch = file.add_import("torch", where=where)
    totals = file.fresh_name("totals")
    device = _device(file, given["device"])
    dtype = "" if given["whole"] else f"dtype={torch}.float64, "
    single = len(names) == 1
    sent = values[0] if single else f"[{', '.join(values)}]"
    rows = [
        f"{totals} = {torch}.tensor({sent}, {dtype}device={device})",
        f"{dist}.all_reduce({totals})",
        f"{', '.join(names)} = {totals}.{'item' if single else 'tolist'}()",
        *(f"{name} = int({name})" for name in given["integers"].split()),
    ]
    return [*rows, *given["following"].split("\n")] if given.get("following") else rows


def _gather_collected(file: FileRewriter, action: Action) -> None:
    """Gather lists after the loop that fills them, or what is made of them after the statements that make it."""
    given = dict(action.arguments)
    statement = file.statement_at(action.span)
    room = _room(file, statement)
    dist = file.add_import("torch.distributed", alias="dist", where=statement)
    tensors, arrays = given.get("tensors", "").split(), given.get("arrays", "").split()
    callees = _unjoined(file, action, given.get("joined", ""))
    before = _joined(file, [*tensors, *arrays], callees, given)
    rows = _gathered_tensors(file, statement, tensors, given, dist) if tensors else []
    even = bool(given["even"])
    if arrays:
        numpy = file.add_import("numpy", alias="np", where=statement)
        merged = f"{numpy}.concatenate({{parts}})"
        if even:
            merged = f"{numpy}.concatenate({numpy}.stack({{parts}}, axis=1))[: {given['count']}]"
        rows += _gathered(arrays, arrays, merged, dist, room)
    values = "[value for row in zip(*{parts}) for value in row]"
    if not even:
        values = "[value for part in {parts} for value in part]"
    if names := given.get("rows", "").split():
        rows += _gathered(names, names, values + (f"[: {given['count']}]" if even else ""), dist, room)
    names = given.get("numbers", "").split()
    if names and given["through"]:
        rows += _gathered_numbers(file, statement, names, given, dist)
    elif names:
        rows += _gathered(names, names, values, dist, room)
    rows = _named(file, statement, rows)
    file.insert_after(statement, "\n".join([*before, *_if_distributed(rows, given, dist)]))


def _unjoined(file: FileRewriter, action: Action, joined: str) -> dict[str, str]:
    """Take away the calls that make one tensor of each list; what they call, by the name of the list."""
    import libcst as cst

    callees: dict[str, str] = {}
    for row in filter(None, joined.split(";")):
        name, _, place = row.partition("=")
        call = file.call_at(place_of_argument(action, place))
        callees.setdefault(name, file.code_of(call.func))
        statement = file.parent(call)
        if isinstance(statement, cst.Assign) and file.code_of(statement.targets[0].target) == name:
            file.remove(statement)
        else:
            file.replace(call, name)
    return callees


def _joined(file: FileRewriter, names: list[str], callees: dict[str, str], given: dict[str, str]) -> list[str]:
    """Statements that make one tensor of each list right away, on the device through which it is sent."""
    through = _through(file, given)
    rows = []
    for name in names:
        if name in callees:
            rows.append(f"{name} = {callees[name]}({name}){through}")
        elif through:
            rows.append(f"{name} = {name}{through}")
    return rows


def _through(file: FileRewriter, given: dict[str, str]) -> str:
    """Code that moves a tensor to the device through which it is sent, if to any."""
    return f".to({_device(file, given['through'])})" if given["through"] else ""


def _gather_fed(file: FileRewriter, action: Action) -> None:
    """Collect what a branch of a loop reads, gather it after the loop and put the branch there."""
    import libcst as cst

    given = dict(action.arguments)
    statement = file.node_at(action.span, cst.For, cst.With)
    branch = file.node_at(place_of_argument(action, given["branch"]), cst.If)
    dist = file.add_import("torch.distributed", alias="dist", where=statement)
    torch = file.add_import("torch", where=statement)
    entries = [row.split("=") for row in given["entries"].split(";") if row]
    spans = [(name, place_of_argument(action, place)) for name, place in entries]
    codes = {name: file.code_of(file.expression_at(span)) for name, span in spans}
    # a name of its own for each entry
    named = {name: file.fresh_name(name) if name in codes else name for name in given["names"].split()}
    names = list(named.values())
    collected = file.fresh_name("collected")
    gathered = [file.fresh_name(f"all_{name}") for name in named]
    body = _body_of(file, branch, [(span, named[name]) for name, span in spans])
    test = file.code_of(branch.test)
    file.insert_before(statement, f"{collected} = []")
    moved, arrays = [[named[name] for name in given[kind].split()] for kind in ("moved", "arrays")]
    body = [*_restored(file, moved, arrays, given), *body]
    sent = {own: codes.get(name, name) for name, own in named.items()}
    away = [*moved, *(named[name] for name in given["to_cpu"].split())]
    # on the CPU meanwhile
    sent = {own: f"{code}.cpu()" if own in away else code for own, code in sent.items()}
    kept = [f"{torch}.from_numpy({code})" if own in arrays else code for own, code in sent.items()]
    given["moved"] = ""
    item = kept[0] if len(kept) == 1 else f"({', '.join(kept)})"
    file.replace(branch, f"{collected}.append({item})")
    rows, feed = _whole(
        names, gathered, collected, given, f"{torch}.cat", _through(file, given), _room(file, statement)
    )
    merged = _gathered_tensors(file, statement, gathered, given | {"even": "yes"}, dist)
    rows += _if_distributed(_named(file, statement, merged), given, dist)
    loop = [*feed, *(f"    {row}" for row in body)]
    if given["following"]:
        file.insert_before(file.statement_at(place_of_argument(action, given["following"])), "\n".join(loop))
    else:
        rows += [f"if {test}:", *(f"    {row}" for row in loop)]
    file.insert_after(statement, "\n".join(rows))


def _whole(
    names: list[str], gathered: list[str], collected: str, given: dict[str, str], cat: str, through: str, room: int
) -> tuple[list[str], list[str]]:
    """Statements that make tensors of what was collected, and the head of a loop over their batches."""
    if len(names) == 1:
        rows = [f"{gathered[0]} = {cat}({collected}){through}"]
        return rows, [f"for {names[0]} in {gathered[0]}.split({given['batch']}):"]
    rows = [f"{', '.join(gathered)} = ({cat}(values){through} for values in zip(*{collected}))"]
    parts = ", ".join(f"{name}.split({given['batch']})" for name in gathered)
    return rows, _fitted(f"for {', '.join(names)} in zip(", parts, "):", room - 4)


def _restored(file: FileRewriter, moved: list[str], arrays: list[str], given: dict[str, str]) -> list[str]:
    """Statements by which a branch gets its values as they were: arrays, and tensors on their device."""
    rows = []
    if arrays:
        rows.append(f"{', '.join(arrays)} = {', '.join(f'{name}.numpy()' for name in arrays)}")
    if moved:
        device = _device(file, given["device"])
        rows.append(f"{', '.join(moved)} = {', '.join(f'{name}.to({device})' for name in moved)}")
    return rows


def _named(file: FileRewriter, where: cst.CSTNode, rows: list[str]) -> list[str]:
    """Generated statements with a free name for the ranks' parts, whose list of objects is made once."""
    made = next((row for row in rows if row.startswith("shards = [None]")), "")
    rows = [row for number, row in enumerate(rows) if row != made or number == rows.index(made)]
    name = file.fresh_name("shards") if file.is_bound("shards", where) else "shards"
    return [re.sub(r"\bshards\b", name, row) for row in rows]


def _gathered_tensors(
    file: FileRewriter, where: cst.CSTNode, names: list[str], given: dict[str, str], dist: str
) -> list[str]:
    """Statements that put all ranks' rows of tensors together, in dataset order where the ranks take turns."""
    torch = file.add_import("torch", where=where)
    moved = given["moved"].split()
    merged = f"{torch}.cat({{parts}})"
    if given["even"]:
        merged = f"{torch}.stack({{parts}}, dim=1).flatten(0, 1)[: {given['count']}]"
    rows: list[str] = []
    if not given["through"]:
        room = _room(file, where)
        stay, back = [one for one in names if one not in moved], [one for one in names if one in moved]
        if stay:
            rows += _gathered(stay, stay, merged, dist, room)
        if back:
            sent = [f"{name}.cpu()" for name in back]
            rows += _gathered(back, sent, f"{merged}.to({_device(file, given['device'])})", dist, room)
        return rows
    for name in names:
        rows.append(f"shards = [{torch}.empty_like({name}) for _ in range({dist}.get_world_size())]")
        rows.append(f"{dist}.all_gather(shards, {name})")
        whole = f"{torch}.stack(shards, dim=1).flatten(0, 1)[: {given['count']}]"
        rows.append(f"{name} = {whole}" + ("" if name in moved else ".cpu()"))
    return rows


def _gathered_numbers(
    file: FileRewriter, where: cst.CSTNode, names: list[str], given: dict[str, str], dist: str
) -> list[str]:
    """Statements that put equally long lists of numbers together through tensors."""
    torch = file.add_import("torch", where=where)
    local = file.fresh_name("local")
    rows: list[str] = []
    for name in names:
        device = _device(file, given["through"])
        rows.append(f"{local} = {torch}.tensor({name}, dtype={torch}.float64, device={device})")
        rows.append(f"shards = [{torch}.empty_like({local}) for _ in range({dist}.get_world_size())]")
        rows.append(f"{dist}.all_gather(shards, {local})")
        rows.append(f"{name} = {torch}.stack(shards, dim=1).flatten().tolist()")
    return rows


def _gathered(names: list[str], sent: list[str], merged: str, dist: str, room: int) -> list[str]:
    """Statements that gather objects from all ranks and bind the names to what is made of the parts."""
    rows = [f"shards = [None] * {dist}.get_world_size()"]
    if len(names) == 1:
        whole = merged.format(parts="shards")
        return [*rows, f"{dist}.all_gather_object(shards, {sent[0]})", f"{names[0]} = {whole}"]
    rows.append(f"{dist}.all_gather_object(shards, ({', '.join(sent)}))")
    whole = f"{merged.format(parts='parts')} for parts in zip(*shards)"
    return [*rows, *_fitted(f"{', '.join(names)} = (", whole, ")", room)]


def _room(file: FileRewriter, statement: cst.CSTNode) -> int:
    """The width for a row beside a statement: the file's own, as far as that is a usual one."""
    longest = max(map(len, file.text.split("\n")))
    return min(max(longest, 88), 120) - len(file.indent_of(statement)) - 4


def _fitted(head: str, inner: str, tail: str, room: int) -> list[str]:
    """One row, or three where it would be too long."""
    row = f"{head}{inner}{tail}"
    return [row] if len(row) <= room else [head, f"    {inner}", tail]


def _if_distributed(rows: list[str], given: dict[str, str], dist: str) -> list[str]:
    """Statements under a test for a process group, where the program may run without one."""
    if not given["single"]:
        return rows
    return [f"if {dist}.is_available() and {dist}.is_initialized():", *(f"    {row}" for row in rows)]


def _body_of(file: FileRewriter, branch: cst.If, replaced: list[tuple[Span, str]]) -> list[str]:
    """The rows of a branch's body, some spans replaced, indented by four spaces each step."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite, comments_of

    end = file.text.find("\n", file.range_of(branch)[1])
    end = end if end >= 0 else len(file.text)
    start = file.text.index("\n", file.range_of(branch.test)[1]) + 1
    if isinstance(branch.body, cst.SimpleStatementSuite):
        start = file.range_of(branch.body.body[0])[0]
    code, stop = "", end
    for span, name in sorted(replaced, key=lambda one: (-one[0].row, -one[0].column)):
        first, last = file.offset(span.row, span.column), file.offset(span.end_row, span.end_column)
        code, stop = f"{name}{file.text[last:stop]}{code}", first
    code = textwrap.dedent(file.text[start:stop] + code)
    if "'''" in code or '"""' in code:
        raise CannotRewrite("a string over several rows stands in the branch")
    # they stay where the branch was
    for offset, comment in reversed(comments_of(code)):
        code = code[:offset].rstrip(" ") + code[offset + len(comment) :]
    rows: list[str] = []
    for row in code.split("\n"):
        stripped = row.lstrip(" \t")
        depth, rest = divmod(len(row) - len(stripped), len(file.indent_unit))
        rows.append(f"{'    ' * depth}{' ' * rest}{stripped}")
    return [row for row in rows if row.strip()]


def _device(file: FileRewriter, device: str) -> str:
    """Code for a device, a string in the file's quotes."""
    return file.string(device[1:-1]) if device[0] == "'" else device


def _move_before_branch(file: FileRewriter, action: Action) -> None:
    """Move the first statement of a branch before the branch."""
    import libcst as cst

    statement = file.node_at(action.span, cst.Assign, cst.AnnAssign)
    branch = file.enclosing(statement, cst.If)
    assert branch is not None
    code = f"{file.indent_of(statement)}{file.code_of(statement)}"
    file.insert_before(branch, code)
    file.remove(statement)


def _drop_branch(file: FileRewriter, action: Action) -> None:
    """Put a branch's only statement in the branch's place."""
    import libcst as cst

    branch = file.node_at(action.span, cst.If)
    first = branch.body.body[0]
    start = file.range_of(first)[0]
    end = file.text.find("\n", file.range_of(branch)[1])
    code = file.text[start : end if end >= 0 else len(file.text)]
    file.replace(branch, f"{file.indent_of(first)}{code}")


CODEMODS: dict[str, Callable[[FileRewriter, Action], None]] = {
    "sum-over-ranks": _sum_over_ranks,
    "gather-collected": _gather_collected,
    "gather-fed": _gather_fed,
    "move-before-branch": _move_before_branch,
    "drop-branch": _drop_branch,
}
