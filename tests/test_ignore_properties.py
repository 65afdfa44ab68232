"""What holds for suppression comments wherever they are put, and for the real rules over whole programs."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
from fake_core import RULES
from fixture_files import FIXTURES, all_fixtures
from hypothesis import given, settings
from hypothesis import strategies as st

from ddplint.cli import main
from ddplint.findings import Finding, Span
from ddplint.fixing.documents import Document
from ddplint.fixing.ignores import added, removed
from ddplint.ignores import UNUSED, Judge
from ddplint.layout import Layout
from ddplint.source import SourceFile, Sources, parse_source
from ddplint.suppression import sift

TEXTS = [text for path in sorted(FIXTURES.rglob("*.py")) if (text := path.read_text(encoding="utf-8"))]
# fixtures have few of these
TEXTS.append(
    'x = f(a, """b\n{c}""", """\nd"""  # e\n)\nif g and \\\n    h:\n    i = j + \\\n        k; l = [\n'
    "        m,  # noqa: E501\n\n        # n\n        o, ]\n\n\n@p(\n    q,\n)\n@r\nclass s(\n    t,\n): u = v\n"
)


class Only(Sources):
    """One document as the only file."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document

    def get(self, path: str) -> SourceFile:
        return parse_source(path, self._document.data)


def rows_of_code(text: str) -> list[int]:
    return [row for first, last in Layout(text).lines for row in range(first, last + 1)]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.sampled_from(["", "because"]))
def test_added_and_removed_again(data: st.DataObject, newline: str, tabs: bool, reason: str) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    text = text.replace("    ", "\t") if tabs else text
    before = Document("a.py", "a.py", text.replace("\n", newline), "utf-8", False)
    places = st.tuples(st.sampled_from(rows_of_code(text)), st.sampled_from(["DDP101", "DDP203"]))
    drawn = data.draw(st.lists(places, max_size=8, unique=True))
    found = [Finding(code, "n", "error", "m", Span("a.py", row, 1, row, 2)) for row, code in sorted(drawn)]
    after = added(before, found, reason)
    assert sift(found, Only(after)).kept == ()
    assert ast.dump(ast.parse(after.text)) == ast.dump(ast.parse(before.text))
    assert after.raw.count(newline) == before.raw.count(newline)
    # a second run has a finding for each that is silenced now, so it has nothing to do; without them all can go
    unused = Judge(RULES, [rule.code for rule in RULES], ()).flaws(["a.py"], Only(after))
    assert all(flaw.kind == UNUSED for flaw in unused)
    assert bool(unused) == bool(found)
    assert removed(after, unused).raw == before.raw


@settings(max_examples=200, deadline=None)
@given(st.text("#:[], -\tanoqEDP1203ignredlt\n\"'\\(", max_size=60))
def test_any_comment(text: str) -> None:
    """Whatever a comment looks like: removing changes nothing but comments, and a second time nothing at all."""
    document = Document("a.py", "a.py", f"x = 1  # noqa: DDP203{text}\n", "utf-8", False)
    try:
        ast.parse(document.text)
    except (SyntaxError, ValueError):
        return
    judge = Judge(RULES, [rule.code for rule in RULES], ())
    after = removed(document, [one for one in judge.flaws(["a.py"], Only(document)) if one.removable])
    assert ast.dump(ast.parse(after.text)) == ast.dump(ast.parse(document.text))
    assert removed(after, [one for one in judge.flaws(["a.py"], Only(after)) if one.removable]).raw == after.raw


def test_real_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for fixture in [one for one in all_fixtures() if one.is_bug][::9]:
        copy = shutil.copytree if fixture.place.is_dir() else shutil.copy
        target = tmp_path / fixture.name.replace("/", "_")
        target.mkdir()
        copy(fixture.place, target / fixture.place.name)
    assert main(["check", "--output-format", "json"]) == 1
    found = len(json.loads(capsys.readouterr().out))
    assert main(["fix", "--add-ignore", "--apply"]) == 0
    assert f"{found} findings ignored" in capsys.readouterr().out
    assert main(["check", "--output-format", "json", "--report-unused-ignores"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    texts = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    assert main(["fix", "--add-ignore", "--apply"]) == 0
    assert main(["fix", "--remove-unused-ignores", "--apply"]) == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.py")} == texts
