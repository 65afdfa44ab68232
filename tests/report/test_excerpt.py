"""Source around a span, and a fix as hunks: the plain data behind the HTML page."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import pytest

from ddplint.findings import Edit, Fix, Span
from ddplint.report.changes import hunks_of
from ddplint.report.excerpt import excerpt, hunk_runs
from ddplint.source import Sources


def shown(folder: Path, text: str, *place: int, name: str = "a.py") -> list[str]:
    """The rows around a span, with its characters in brackets."""
    (folder / name).write_text(text)
    rows = excerpt(Span(name, *place), Sources(str(folder)))
    return [
        f"{row.number} {'...' if row.left_out else ''}"
        + "".join(f"[{run.text}]" if run.marked else run.text for run in row.runs).replace("][", "")
        for row in rows
    ]


def test_rows_around_without_the_indentation_that_they_share(tmp_path: Path) -> None:
    text = "a\nb\n    if x:\n\tc = f(y)\n    d\n\ne\n"
    assert shown(tmp_path, text.replace("\tc", "        c"), 4, 13, 4, 17) == [
        "2 b", "3     if x:", "4         c = [f(y)]", "5     d",
    ]  # fmt: skip
    inner = "    if x:\n        c = f(y)\n    d\n"
    assert shown(tmp_path, inner, 2, 13, 2, 17) == ["1 if x:", "2     c = [f(y)]", "3 d"]
    # tabs and spaces share nothing
    assert shown(tmp_path, "    if x:\n\tc\n", 2, 2, 2, 3) == ["1     if x:", "2     [c]"]


def test_several_rows(tmp_path: Path) -> None:
    assert shown(tmp_path, "x = f(\n    a,\n)\ny\n", 1, 5, 3, 2) == ["1 x = [f(]", "2     [a,]", "3 [)]", "4 y"]


def test_long_spans_are_cut(tmp_path: Path) -> None:
    rows = shown(tmp_path, "".join(f"x{n}\n" for n in range(1, 101)), 10, 1, 90, 4)
    assert rows[:3] == ["8 x8", "9 x9", "10 [x10]"]
    assert rows[-4:] == ["21 [x21]", "22 ...", "91 x91", "92 x92"]


@pytest.mark.parametrize("column", [1, 400, 990])
def test_long_lines_are_cut_around_the_span(tmp_path: Path, column: int) -> None:
    (row,) = shown(tmp_path, "".join(chr(97 + n % 26) for n in range(1000)), 1, column, 1, column + 3)
    assert len(row) < 320
    assert row[row.index("[") + 1] == chr(97 + (column - 1) % 26)


def test_what_would_move_the_cursor_is_written_out(tmp_path: Path) -> None:
    assert shown(tmp_path, "s = '\x1b\u202e'\n", 1, 1, 1, 2) == ["1 [s] = '\\x1b\\u202e'"]


@pytest.mark.parametrize("row", [9, 2])
def test_file_that_is_shorter_now(tmp_path: Path, row: int) -> None:
    assert shown(tmp_path, "x", row, 1, row, 2) == []


def test_notebooks_show_one_cell(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": source} for source in ("a = 1\nb = 2", "c = 3\nd = 4", "e = 5")]
    notebook = json.dumps({"cells": cells})
    assert shown(tmp_path, notebook, 3, 1, 3, 2, name="n.ipynb") == ["1 [c] = 3", "2 d = 4"]


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("return f'x' + 1.5  # why\n")
    (row,) = excerpt(Span("a.py", 1, 1, 1, 1), Sources(str(tmp_path)))
    kinds = {run.text: run.kind for run in row.runs if run.kind}
    assert kinds.pop("# why") == "comment"
    assert {"f'x'": "string", "1.5": "number"}.items() <= kinds.items()


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ('def f():\n    """What\n\n    is not in it.\n    """\n', 4, {"is not in it.": "string"}),
        (
            "x = '''a\nif b''' if c else 2\n",
            2,
            {"if b'''": "string", "if": "keyword", "else": "keyword", "2": "number"},
        ),
        ("# it's '''\npass\n'''\n'''\n", 2, {"pass": "keyword"}),
        ("a = '\"\"\"'\npass\nb = \"'''\"\n", 2, {"pass": "keyword"}),
        ('a = """\\"""\nif\n"""\n', 2, {"if": "string"}),
        ('a = """\nif', 2, {"if": "string"}),
    ],
    ids=["documentation", "end in a row", "comment", "in other quotes", "escaped quote", "no end"],
)
def test_strings_of_several_rows(tmp_path: Path, text: str, row: int, expected: dict[str, str]) -> None:
    (tmp_path / "a.py").write_text(text)
    rows = excerpt(Span("a.py", row, 1, row, 1), Sources(str(tmp_path)))
    (found,) = (one for one in rows if one.number == row)
    merged = ["".join(run.text for run in runs) for _, runs in groupby(found.runs, lambda run: run.kind)]
    kinds = [kind for kind, _ in groupby(run.kind for run in found.runs)]
    assert {text.strip(): kind for text, kind in zip(merged, kinds, strict=True) if kind and text.strip()} == expected


def test_kinds_in_a_hunk(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""\nif in\n"""\nx = 1\nfor\n')
    fix = Fix("safe", "t", (), "", (Edit(Span("a.py", 4, 1, 4, 6), "if"),))
    sources = Sources(str(tmp_path))
    (hunk,) = hunks_of(fix, sources)
    kinds = [(sign, {run.kind for run in runs if run.text.strip()}) for sign, runs in hunk_runs(hunk, sources)]
    assert kinds == [
        (" ", {"string"}), (" ", {"string"}), (" ", {"string"}), ("-", {"", "number"}), ("+", {"keyword"}),
        (" ", {"keyword"}),
    ]  # fmt: skip


def hunks(folder: Path, text: str, *edits: tuple[int, int, int, int, str]) -> list[tuple[int, list[str]]]:
    (folder / "a.py").write_text(text)
    fix = Fix("safe", "t", (), "", tuple(Edit(Span("a.py", *edit[:4]), edit[4]) for edit in edits))
    return [(hunk.row, [f"{sign}{line}" for sign, line in hunk.lines]) for hunk in hunks_of(fix, Sources(str(folder)))]


def test_hunks(tmp_path: Path) -> None:
    text = "".join(f"x{n}\n" for n in range(1, 31))
    found = hunks(tmp_path, text, (20, 1, 20, 4, "y"), (2, 1, 2, 3, "a\nb"), (4, 1, 4, 1, "# new\n"))
    assert found == [
        (1, [" x1", "-x2", "+a", "+b", " x3", "+# new", " x4", " x5", " x6"]),
        (17, [" x17", " x18", " x19", "-x20", "+y", " x21", " x22", " x23"]),
    ]


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([(9, 1, 9, 2, "y")], id="past the end"),
        pytest.param([(1, 1, 1, 3, "y"), (1, 2, 1, 3, "z")], id="on top of each other"),
        pytest.param([(1, 1, 1, 3, "x1")], id="changes nothing"),
    ],
)
def test_edits_that_do_not_fit_give_no_hunks(tmp_path: Path, edits: list[tuple[int, int, int, int, str]]) -> None:
    assert hunks(tmp_path, "x1\n", *edits) == []
