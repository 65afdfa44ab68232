"""Rules outside of ddplint, for tests."""

from __future__ import annotations

from pathlib import Path

SECTIONS = '''"""{summary}

## What it does
Reports calls of `legacy`.

## Why it is a bug
It is gone.

## Example
```python
legacy(1)
```

## Instead
```python
modern(1)
```

## Not reported
Other calls.

## Fix safety
Safe: both take the same arguments.

## References
- https://example.org/legacy
"""
'''

BODY = """
from ddplint.rules.base import Action, CallEvent, Check, Fix, Rule, span_at


class LegacyCheck(Check):
    def on_call(self, event: CallEvent) -> None:
        if event.node[2] and event.node[2][-1] == "legacy":
            actions = (Action("replace-callee", span_at(event.scope, event.node), (("text", "modern"),)),)
            fix = Fix("safe", "Call modern", actions)
            self.report(event.scope, event.node, "legacy is gone; call modern", fix=fix)


class LegacyCall(Rule):
    code = "{code}"
    name = "{name}"
    severity = "warning"
    check = LegacyCheck


RULE = LegacyCall()
"""


def rule_text(code: str = "ACME101", name: str = "legacy-call", summary: str = "A call of legacy") -> str:
    """A whole rule: calls of `legacy` become calls of `modern`."""
    return SECTIONS.replace("{summary}", summary) + BODY.replace("{code}", code).replace("{name}", name)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def install(folder: Path, name: str, points: dict[str, str], version: str = "1.2") -> None:
    """The metadata of an installed package with entry points of ddplint's group."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    rows = "".join(f"{key} = {value}\n" for key, value in points.items())
    write(info / "entry_points.txt", f"[ddplint.rules]\n{rows}")
