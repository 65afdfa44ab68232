"""What every rule owes: its documentation, and that the documentation's programs do what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from fixture_files import FIXTURES

from ddplint.config import Settings
from ddplint.documentation import SECTIONS
from ddplint.engine import check, fix
from ddplint.registry import discover
from ddplint.rules.base import Rule

RULES = discover()
SETTINGS = Settings(cache=False, jobs=1)
LIBRARIES = re.compile(
    r"\b(torch\.nn|torch\.utils|pytorch_lightning|lightning\.|accelerate\.|torchmetrics\.|webdataset\.)"
)


def test_the_six_rules_are_there() -> None:
    assert {"DDP101", "DDP201", "DDP202", "DDP203", "DDP301", "DDP302"} <= {rule.code for rule in RULES}
    assert len({rule.name for rule in RULES}) == len({rule.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
class TestRule:
    def test_documentation_is_whole(self, rule: Rule) -> None:
        documentation = rule.documentation
        assert tuple(documentation.sections) == SECTIONS
        assert all(text.strip() for text in documentation.sections.values())
        assert "https://" in documentation.sections["References"]
        for code in (documentation.example, documentation.instead):
            assert max(map(len, code.splitlines())) <= 120
            compile(code, rule.code, "exec")

    def test_example_fires_and_instead_is_silent(
        self, rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        program = tmp_path / "program.py"
        program.write_text(rule.documentation.example, encoding="utf-8")
        result = check(["."], SETTINGS)
        assert {finding.code for finding in result.findings} == {rule.code}
        program.write_text(rule.documentation.instead, encoding="utf-8")
        assert check(["."], SETTINGS).findings == ()

    def test_fix_of_example_is_instead(self, rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        program = tmp_path / "program.py"
        program.write_text(rule.documentation.example, encoding="utf-8")
        findings = check(["."], SETTINGS).findings
        if not any(finding.fix for finding in findings):
            pytest.skip("no fix yet")
        fix(["."], SETTINGS, apply=True, unsafe=True)
        assert program.read_text(encoding="utf-8") == rule.documentation.instead

    def test_module_names_no_library(self, rule: Rule) -> None:
        """Outside its documentation a rule speaks of kinds, never of a library's names."""
        module = Path(__file__).parent.parent / "rules" / f"{type(rule).__module__.rpartition('.')[2]}.py"
        tree = ast.parse(module.read_text(encoding="utf-8"))
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not [text for text in texts if LIBRARIES.search(text) and text != ast.get_docstring(tree, clean=False)]

    def test_has_fixtures(self, rule: Rule) -> None:
        names = [place.name for place in (FIXTURES / rule.code).iterdir()]
        assert sum(name.startswith("bug_") for name in names) >= 12
        assert sum(name.startswith("near_") for name in names) >= 12
