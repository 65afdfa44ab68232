"""Sigmoid output handed to BCELoss

## What it does
Reports.

## Why it is a bug
x

## Example
```python
```

## Instead
```python
```

## Not reported
x

## Fix safety
x

## References
x
"""

from __future__ import annotations

from ddplint.flow.events import CallEvent, reachable
from ddplint.rules.base import Check, Rule


class SigmoidBeforeBceCheck(Check):
    def on_call(self, event: CallEvent) -> None:
        if event.effect is None or "loss-on-probabilities" not in event.effect.kinds:
            return
        value = event.argument(0, "input")
        tag = value.tags.get("sigmoid") if value is not None else None
        if tag is None or not reachable(tag, event.scope):
            return
        self.report(event.scope, event.node, "sigmoid then BCE", tag.steps, no_fix_reason="later")


class SigmoidBeforeBce(Rule):
    code = "DDP203"
    name = "sigmoid-before-bce"
    severity = "warning"
    words = frozenset({"BCELoss", "binary_cross_entropy"})
    check = SigmoidBeforeBceCheck


RULE = SigmoidBeforeBce()
