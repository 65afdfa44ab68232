"""What every rule owes: its documentation, and that the documentation's programs do what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ddplint.registry import discover
from ddplint.rules.base import Rule
from ddplint.scaffold import unfinished

ROOT = Path(__file__).parent.parent
RULES = discover()
LIBRARIES = re.compile(
    r"\b(torch\.nn|torch\.utils|pytorch_lightning|lightning\.|accelerate\.|torchmetrics\.|webdataset\.)"
)


def test_the_six_rules_are_there() -> None:
    assert {"DDP101", "DDP201", "DDP202", "DDP203", "DDP301", "DDP302"} <= {rule.code for rule in RULES}
    assert len({rule.name for rule in RULES}) == len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
class TestRule:
    def test_lacks_nothing(self, rule: Rule) -> None:
        """Documentation, its programs, fixtures, changelog, proof: what `ddplint new-rule --check` lists."""
        (problems,) = unfinished(ROOT, rule.code).values()
        assert problems == []

    def test_module_names_no_library(self, rule: Rule) -> None:
        """Outside its documentation a rule speaks of kinds, never of a library's names."""
        module = Path(__file__).parent.parent / "rules" / f"{type(rule).__module__.rpartition('.')[2]}.py"
        tree = ast.parse(module.read_text(encoding="utf-8"))
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not [text for text in texts if LIBRARIES.search(text) and text != ast.get_docstring(tree, clean=False)]
