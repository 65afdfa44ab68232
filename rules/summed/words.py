"""Names that say that something is of keypoints or the like."""

from __future__ import annotations

from ddplint.facts.nodes import Node
from ddplint.flow.events import Scope
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.values import Instance
from ddplint.rules.statements import texts_of


class Words:
    """Finds such names in expressions and around them."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        # by identity, with the expression, so that no identity is used twice
        self._known: dict[int, tuple[Node, str]] = {}

    def of(self, node: Node, scope: Scope) -> str:
        """The name that says it in an expression or else around it; empty where none does."""
        return self.in_expression(node) or self._around(scope)

    def in_expression(self, node: Node) -> str:
        """The first such name in an expression."""
        known = self._known.get(id(node))
        if known is not None and known[0] is node:
            return known[1]
        found = next((text for text in texts_of(node) if self.knowledge.matches("pose_word", text)), "")
        self._known[id(node)] = (node, found)
        return found

    def _around(self, scope: Scope) -> str:
        """The name of the enclosing class or function, where it is that of a loss on keypoints or the like."""
        function = scope.function
        if function is None:
            return ""
        names = function.qualname.split(".")
        if scope.instance is not None and isinstance(scope.instance.shape, Instance):
            names.append(scope.instance.shape.class_.facts.name)
        for name in names:
            text = snake(name)
            if self.knowledge.matches("pose_word", text) and self.knowledge.matches("loss_word", text):
                return name
        return ""


def snake(name: str) -> str:
    """A class's name in the form in which variables are written."""
    text = "".join(
        "_" + letter if letter.isupper() and before.islower() else letter for before, letter in zip(" " + name, name)
    )
    return text.lower()
