"""A fix in the making."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddplint.findings import Action
from ddplint.flow.interpreter import Interpreter
from ddplint.rules.base import span_of
from ddplint.rules.repairs import listed
from ddplint.rules.sigmoid.places import Places
from ddplint.rules.sigmoid.seen import Seen, Spot


@dataclass(slots=True)
class Change:
    """One fix in the making: everything that must change with one loss."""

    seen: Seen
    places: Places
    interpreter: Interpreter
    actions: list[Action] = field(default_factory=list)
    # functions that return logits from then on, functions that take them, and what else changes for others
    returning: list[str] = field(default_factory=list)
    taking: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def act(self, kind: str, spot: Spot, **arguments: str) -> None:
        self.actions.append(Action(kind, span_of(*spot), tuple(sorted(arguments.items()))))

    def reason(self) -> str:
        """What the fix changes for code that is not in view; empty if nothing."""
        parts = []
        if self.returning:
            names = list(dict.fromkeys(self.returning))
            verb = "returns" if len(names) == 1 else "return"
            parts.append(
                f"{listed(names)} {verb} logits instead of probabilities from then on:"
                f" who calls {'it' if len(names) == 1 else 'them'} elsewhere must apply the sigmoid"
            )
        if self.taking:
            names = list(dict.fromkeys(self.taking))
            parts.append(f"{listed(names)} {'expects' if len(names) == 1 else 'expect'} logits")
        return "; ".join([*parts, *dict.fromkeys(self.reasons)])
