from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from report_data import NET, TRAIN
from report_data import make_finding as finding

from ddplint.cache import finding_from_data, finding_to_data
from ddplint.findings import Span
from ddplint.report.concise import render_concise
from ddplint.report.json import render_json
from ddplint.report.snippet import snippet
from ddplint.report.statistics import render_statistics
from ddplint.report.style import Style, printable, wants_colour
from ddplint.report.summary import render_summary
from ddplint.report.text import render_text
from ddplint.result import Result
from ddplint.source import Sources


@pytest.fixture
def result(tmp_path: Path) -> Result:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "net.py").write_text(NET)
    other = finding(span=Span("net.py", 1, 1, 2, 3), severity="error", fix=None, no_fix_reason="two callers", trace=())
    return Result(
        (other, finding()), (("bad.py", "no Python 3 (line 1)"),), (), 2, 6, 1, sources=Sources(str(tmp_path))
    )


def test_text(result: Result) -> None:
    assert (
        render_text(result, Style())
        == """\
net.py:1:1: error DDP203 sigmoid-before-bce: the input of BCELoss is a sigmoid's output
  1 | def forward(x):
    | ^^^^^^^^^^^^^^^
  no fix: two callers

train.py:4:9: warning DDP203 sigmoid-before-bce: the input of BCELoss is a sigmoid's output
  4 |     return criterion(out, target)
    |            ^^^^^^^^^^^^^^^^^^^^^^
  1. net.py:2:12: the sigmoid
       | return x.sigmoid()
  2. train.py:4:9: the loss
       | return criterion(out, target)
  fix (unsafe): use BCEWithLogitsLoss (the model's output changes)

"""
    )


def test_text_in_colour_is_the_same_text(result: Result) -> None:
    coloured = render_text(result, Style(True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_text(result, Style())


def test_file_that_has_gone(tmp_path: Path) -> None:
    lines = render_text(Result((finding(),), sources=Sources(str(tmp_path))), Style()).splitlines()
    assert lines[1] == "  1. net.py:2:12: the sigmoid"


def test_concise(result: Result) -> None:
    assert render_concise(result, Style()).splitlines()[1] == (
        "train.py:4:9: warning DDP203 sigmoid-before-bce: the input of BCELoss is a sigmoid's output"
    )


def test_json(result: Result) -> None:
    first, second = json.loads(render_json(result))
    assert (first["fix"], first["no_fix_reason"], first["trace"]) == (None, "two callers", [])
    assert second == {
        "code": "DDP203",
        "name": "sigmoid-before-bce",
        "severity": "warning",
        "message": "the input of BCELoss is a sigmoid's output",
        "filename": "train.py",
        "cell": None,
        "location": {"row": 4, "column": 9},
        "end_location": {"row": 4, "column": 31},
        "url": second["url"],
        "fix": {
            "applicability": "unsafe",
            "message": "use BCEWithLogitsLoss",
            "reason": "the model's output changes",
            "edits": [
                {
                    "filename": "net.py",
                    "content": "x",
                    "cell": None,
                    "location": {"row": 2, "column": 12},
                    "end_location": {"row": 2, "column": 23},
                }
            ],
        },
        "no_fix_reason": None,
        "ranks": [],
        "trace": second["trace"],
    }
    assert second["trace"][0] == {
        "filename": "net.py",
        "cell": None,
        "location": {"row": 2, "column": 12},
        "end_location": {"row": 2, "column": 23},
        "message": "the sigmoid",
    }
    assert json.loads(render_json(Result())) == []


def test_notebook_positions(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": "import torch\nx = 1"}, {"cell_type": "code", "source": "y = loss(x)"}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    result = Result((finding(span=Span("n.ipynb", 3, 5, 3, 12), trace=()),), sources=Sources(str(tmp_path)))
    assert render_concise(result, Style()).startswith("n.ipynb:cell 2:1:5: ")
    assert "  1 | y = loss(x)\n    |     ^^^^^^^\n" in render_text(result, Style())
    (only,) = json.loads(render_json(result))
    assert (only["cell"], only["location"], only["end_location"]) == (
        2,
        {"row": 1, "column": 5},
        {"row": 1, "column": 12},
    )


def test_statistics_and_summary(result: Result) -> None:
    assert render_statistics(result) == "2  DDP203  sigmoid-before-bce\n"
    assert render_statistics(Result()) == ""
    assert render_summary(result) == (
        "2 findings (1 error, 1 warning); 2 files read (6 lines), 1 path skipped (1 no Python 3), "
        "1 suppressed by comments.\n"
    )
    assert render_summary(Result()) == "No findings; 0 files read (0 lines).\n"


@pytest.mark.parametrize(
    ("line", "start", "end", "shown", "marks"),
    [
        pytest.param("x = f(y)", 5, 9, "x = f(y)", "    ^^^^", id="plain"),
        pytest.param("\tx = f(y)", 6, 10, "    x = f(y)", "        ^^^^", id="tab before"),
        pytest.param("ab\tf(y)", 4, 8, "ab  f(y)", "    ^^^^", id="tab inside goes to the next stop"),
        pytest.param("数据 = f(y)", 6, 10, "数据 = f(y)", "       ^^^^", id="wide before"),
        pytest.param("f('数据')", 1, 8, "f('数据')", "^^^^^^^^^", id="wide inside"),
        pytest.param("e\u0301 = f(y)", 6, 10, "e\u0301 = f(y)", "    ^^^^", id="combining"),
        pytest.param("x\x1b[31m", 2, 3, "x\\x1b[31m", " ^^^^", id="escape sequence"),
        pytest.param("x", 5, 9, "x", " ^", id="span past the end"),
        pytest.param("", 1, 1, "", "^", id="empty"),
        pytest.param("x", 1, 1, "x", "^", id="no width"),
    ],
)
def test_underline(line: str, start: int, end: int, shown: str, marks: str) -> None:
    assert snippet(line, Span("x.py", 1, start, 1, end)) == (shown, marks)


def test_span_over_several_rows_is_underlined_to_the_end_of_the_first() -> None:
    assert snippet("x = f(  ", Span("x.py", 1, 5, 3, 2)) == ("x = f(", "    ^^")


@pytest.mark.parametrize("column", [1, 500, 990])
def test_long_lines_are_cut_around_the_span(column: int) -> None:
    line = "".join(chr(ord("a") + index % 26) for index in range(1000))
    shown, marks = snippet(line, Span("x.py", 1, column, 1, column + 10))
    assert len(shown) < 160
    assert shown[marks.index("^") :][:10] == line[column - 1 : column + 9]
    assert marks.count("^") == 10


def test_printable() -> None:
    assert printable("a\tb\nc\x1b\u202e\udcff") == "a b c\\x1b\\u202e\\udcff"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_without_a_terminal(environment: dict[str, str], expected: bool) -> None:
    assert wants_colour(None, environment) is expected


def test_colour_on_a_terminal() -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    assert wants_colour(Terminal(), {})  # type: ignore[arg-type]
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})  # type: ignore[arg-type]
    assert not wants_colour(Terminal(), {"TERM": "dumb"})  # type: ignore[arg-type]


def test_findings_survive_json() -> None:
    for one in (finding(), finding(fix=None, no_fix_reason="why", also=(Span("a.py", 1, 2, 3, 4),))):
        assert finding_from_data(json.loads(json.dumps(finding_to_data(one)))) == one


@pytest.mark.parametrize("damage", [{"severity": "fatal"}, {"code": 3}, {"span": {}}, {"fix": {"applicability": "x"}}])
def test_damaged_findings_are_refused(damage: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        finding_from_data({**finding_to_data(finding()), **damage})
