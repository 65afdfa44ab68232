"""Which values of a loop over a loader are tensors with one row per sample, and whether they are on the CPU."""

from __future__ import annotations

from typing import Any

from ddplint.facts.nodes import Node, last_of, text_of, walk
from ddplint.flow.knowledge import Knowledge
from ddplint.rules.rank0.seen import Loop
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import names_in, names_of, number_of, spelled, stored_by, target_names

# methods after which the rows are the same, given another dimension at most
_KEEPING = ("keeps_rows", "keeps_rows_along", "picks_along")


class Rows:
    """Answers for one loop; what is not certain is no."""

    def __init__(self, loop: Loop, knowledge: Knowledge, on_gpu: bool) -> None:
        self.knowledge = knowledge
        self.body: list[Node] = loop.node[4]
        self.function = body_of(loop.scope)
        self.on_gpu = on_gpu
        batch = _batch_target(loop.node)
        self.batch = batch[2] if batch[0] == "name" else ""
        self.entries = target_names(batch) if not self.batch else set()
        self.moved: set[str] = set()
        self._unpacked()
        self.bound = target_names(loop.node[2]).union(*(stored_by(node) for node in walk(self.body)))

    def _unpacked(self) -> None:
        """Take in the names that the loop unpacks the batch into, as it is or moved to a device."""
        for node in walk(self.body):
            if node[0] == "assign" and self.batch and len(node[2]) == 1 and node[2][0][0] in ("tuple", "list"):
                value = node[3]
                if text_of(value) == self.batch:
                    self.entries |= target_names(node[2][0])
                elif value[0] == "comp" and text_of(value[4][0][1]) == self.batch and self._moves(value[3]):
                    self.entries |= target_names(node[2][0])
                    self.moved |= target_names(node[2][0])

    def has(self, node: Node, assumed: frozenset[str] = frozenset()) -> bool:
        """Whether an expression is a tensor or array with one row per sample of the batch."""
        kind = node[0]
        if kind == "name":
            return node[2] in assumed or self._name_has(node[2], assumed)
        if kind == "attr":
            return bool(self.knowledge.matches("output_entry", node[3])) and self._is_output(node[2])
        if kind == "sub":
            if _keeps_rows(node[3]):
                return self.has(node[2], assumed)
            named = node[3][0] == "const" and isinstance(node[3][2], str)
            return named and (self._is_entry(node) or (self._is_output(node[2]) and self._used_as_tensor(node)))
        if kind in ("cmp", "bin"):
            sides = [node[2], *node[4]] if kind == "cmp" else [node[3], node[4]]
            rows = [one for one in sides if one[0] != "const" and not self._is_part(one)]
            return len(sides) == 2 and bool(rows) and all(self.has(one, assumed) for one in rows)
        return kind == "call" and self._call_has(node, assumed)

    def on_cpu(self, node: Node) -> bool:
        """Whether such an expression is on the CPU for sure."""
        if not self.on_gpu:
            return True
        if node[0] == "call" and node[2][0] == "attr":
            if self.knowledge.matches("to_cpu", node[2][3]):
                return True
            stays = self._is("keeps_rows", node) and not self._is("moves_to_device", node)
            return stays and self.on_cpu(node[2][2])
        if node[0] == "sub":
            return self._is_entry(node) or (_keeps_rows(node[3]) and self.on_cpu(node[2]))
        if node[0] in ("cmp", "bin"):
            sides = [node[2], *node[4]] if node[0] == "cmp" else [node[3], node[4]]
            return all(one[0] == "const" or self.on_cpu(one) for one in sides)
        if node[0] == "name":
            bound = self._bindings(node[2])
            if not bound:
                return node[2] in self.entries - self.moved
            return all(one[0] != "name" and self._never(one, node[2]) and self.on_cpu(one) for one in bound)
        return False

    def _never(self, node: Node, name: str) -> bool:
        return name not in names_in(node) or (node[0] == "call" and last_of(node[2]) == "cpu")

    def is_array(self, node: Node) -> bool:
        """Whether such an expression is an array rather than a tensor."""
        if node[0] == "call" and node[2][0] == "attr":
            return node[2][3] == "numpy" or self.is_array(node[2][2])
        if node[0] == "sub":
            return self.is_array(node[2])
        if node[0] in ("cmp", "bin"):
            return any(self.is_array(one) for one in ([node[2], *node[4]] if node[0] == "cmp" else [node[3], node[4]]))
        return node[0] == "name" and any(
            node[2] not in names_in(one) and self.is_array(one) for one in self._bindings(node[2])
        )

    def _name_has(self, name: str, assumed: frozenset[str]) -> bool:
        bound = self._bindings(name)
        inner = assumed | {name}
        if name in self.entries:
            seen = name in self.moved or self._used_as_tensor(["name", 0, name])
            return seen and all(self.has(one, inner) for one in bound)
        # of several bindings, the first cannot be made of the name itself
        return bool(bound) and name not in names_in(bound[0]) and all(self.has(one, inner) for one in bound)

    def _bindings(self, name: str) -> list[Node]:
        """The expressions that a name is bound to in the loop; one without rows for what is not known."""
        found: list[Node] = []
        for node in walk(self.body):
            if node[0] == "assign":
                for target in node[2]:
                    if name in target_names(target) and not self._unpacks(target, node[3]):
                        found.append(self._part(name, target, node[3]))
            elif name in stored_by(node) or (node[0] == "aug" and name in target_names(node[2])):
                found.append(["const", node[1], None])
        return found

    def _unpacks(self, target: Node, value: Node) -> bool:
        over = value[4][0][1] if value[0] == "comp" else value
        return bool(self.batch) and target[0] in ("tuple", "list") and text_of(over) == self.batch

    def _part(self, name: str, target: Node, value: Node) -> Node:
        """What of a value an assignment binds to a name."""
        unknown: Node = ["const", value[1], None]
        if target[0] == "name":
            return value
        if value[0] in ("tuple", "list") and len(value[2]) == len(target[2]):
            pairs = [one for one in zip(target[2], value[2], strict=True) if one[0][0] == "name"]
            return next((part for one, part in pairs if one[2] == name), unknown)
        # `_, predicted = output.max(1)`
        if value[0] == "call" and self.knowledge.matches("picks_along", last_of(value[2])) and len(target[2]) == 2:
            return value
        return unknown

    def _call_has(self, node: Node, assumed: frozenset[str]) -> bool:
        function, given = node[2], node[3]
        name = last_of(function)
        if self.knowledge.matches("tensor_function", text_of(function)):
            return bool(given) and self._keeps(name, given[1:], node[4]) and self.has(given[0], assumed)
        if function[0] == "attr" and (name == "flatten" or any(self.knowledge.matches(one, name) for one in _KEEPING)):
            return self._keeps(name, given, node[4]) and self.has(function[2], assumed)
        return self._is_output(node)

    def _keeps(self, name: str, given: list[Node], keywords: list[Any]) -> bool:
        along = given[:1] or [one for key, one in keywords if key in ("dim", "axis")]
        number = number_of(along[0]) if along else None
        if name == "flatten":
            return number == 1
        if self.knowledge.matches("keeps_rows_along", name) or self.knowledge.matches("picks_along", name):
            return number is not None and number != 0 and number >= -1
        return self.knowledge.matches("keeps_rows", name)

    def _is(self, pattern: str, call: Node) -> bool:
        """Whether the knowledge has a call's method among those of a kind."""
        return self.knowledge.matches(pattern, call[2][3])

    def _moves(self, node: Node) -> bool:
        """Whether an expression moves a tensor to a device, as `tensor.to(device)`."""
        method = node[0] == "call" and node[2][0] == "attr" and node[2][2][0] == "name"
        return bool(method and self._is("moves_to_device", node))

    def _is_output(self, node: Node) -> bool:
        """Whether an expression is what a model gives for the batch."""
        if node[0] == "name":
            bound = self._bindings(node[2])
            return len(bound) == 1 and bound[0][0] == "call" and self._is_output(bound[0])
        if node[0] != "call" or not names_in(node) & self.bound:
            return False
        return any(self.knowledge.matches("model_name", name) for name in names_of(node[2]))

    def _is_entry(self, node: Node) -> bool:
        """Whether an expression is an entry of the batch, `batch["image"]`, that is used as a tensor."""
        whole = node[0] == "sub" and text_of(node[2]) == self.batch != "" and not self._bindings(self.batch)
        return whole and self._used_as_tensor(node)

    def _is_part(self, node: Node) -> bool:
        """Whether an expression is a part of the batch as the loader gives it."""
        return node[0] == "name" and node[2] in self.entries - self.moved and not self._bindings(node[2])

    def _used_as_tensor(self, node: Node) -> bool:
        wanted = spelled(node)
        for one in walk(self.function):
            method = one[0] == "call" and one[2][0] == "attr" and self._is("only_of_tensors", one)
            if method and spelled(one[2][2]) == wanted:
                return True
            joins = one[0] == "call" and one[3] and self.knowledge.matches("concatenates", text_of(one[2]))
            if joins and self._collected(text_of(one[3][0]), wanted):
                return True
        return False

    def _collected(self, name: str, wanted: Any) -> bool:
        """Whether values as `wanted` are appended to a list of that name."""
        return bool(name) and any(
            one[0] == "call" and one[2][0] == "attr" and text_of(one[2][2]) == name and spelled(one[3][0]) == wanted
            for one in walk(self.body)
            if one[0] == "call" and len(one[3]) == 1
        )


def _batch_target(loop: Node) -> Node:
    """The part of a loop's target that is the batch."""
    target, iterable = loop[2], loop[3]
    while iterable[0] == "call" and iterable[3]:
        if last_of(iterable[2]) == "enumerate" and target[0] == "tuple" and len(target[2]) == 2:
            inner: Node = target[2][1]
            return inner
        iterable = iterable[3][0]
    return list(target)


def _keeps_rows(index: Node) -> bool:
    """Whether an index leaves the first dimension as it is."""
    if index[0] != "tuple":
        return False
    first = index[2][0]
    return bool(first[0] == "slice" and all(one is None for one in first[2:5]))
