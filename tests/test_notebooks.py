"""Notebooks: what is read, how findings name their place, what fixes write back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddplint.facts.build import build_facts
from ddplint.files import SourceRef
from ddplint.source import SIZE_LIMIT, Unreadable, parse_source, read_source


def notebook(*cells: str | list[str], **metadata: object) -> bytes:
    content = {
        "cells": [{"cell_type": "markdown", "source": "# title"}]
        + [{"cell_type": "code", "source": cell} for cell in cells],
        "metadata": metadata,
        "nbformat": 4,
    }
    return json.dumps(content).encode()


def reason(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        parse_source("x.ipynb", data)
    return caught.value.reason


# reading


@given(st.text(alphabet="ab#\"'\\\n ()%!?=", max_size=80))
def test_notebook_rows_stay(text: str) -> None:
    source = parse_source("x.ipynb", notebook(text, "last = 1"))
    assert source.text.count("\n") == text.count("\n") + 2
    assert source.text.split("\n")[text.count("\n") + 1] == "last = 1"


def test_notebook_positions() -> None:
    source = parse_source("x.ipynb", notebook(["import torch\n", "x = 1"], "", "y = 2\nz = 3\n"))
    assert source.text == "import torch\nx = 1\n\ny = 2\nz = 3\n\n"
    assert [source.cell_position(row) for row in range(1, 7)] == [(1, 1), (1, 2), (2, 1), (3, 1), (3, 2), (3, 3)]
    assert source.cell_position(7) is None
    assert parse_source("x.py", b"x\n").cell_position(1) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param("!pip install torch\nx = 1", "pass\nx = 1", id="shell"),
        pytest.param("%matplotlib inline\nx = 1", "pass\nx = 1", id="line magic"),
        pytest.param("%%time\nx = 1", "pass\nx = 1", id="cell magic over Python"),
        pytest.param("%%bash\necho 'x'\nfor", "pass\npass\npass", id="cell magic over another language"),
        pytest.param("if a:\n    !ls it's\nx = 1", "if a:\n    pass\nx = 1", id="indented, with a quote"),
        pytest.param("files = !ls\nx = 1", "files = get_ipython()\nx = 1", id="assignment"),
        pytest.param("!a \\\n  b\nx = 1", "pass\n\nx = 1", id="continued"),
        pytest.param("torch.sum?\nx = 1", "pass\nx = 1", id="help"),
        pytest.param("!ls\nx = ('%d'\n% 3)", "pass\nx = ('%d'\n% 3)", id="modulo in brackets is none"),
        pytest.param('!ls\nx = """\n!no\n"""', 'pass\nx = """\n!no\n"""', id="in a string is none"),
        pytest.param("x = 5 %\\\n3", "x = 5 %\\\n3", id="plain Python is left alone"),
    ],
)
def test_magics(cell: str, expected: str) -> None:
    assert parse_source("x.ipynb", notebook(cell)).text == expected + "\n"


def test_notebook_forms() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"]}]}]}
    assert parse_source("x.ipynb", json.dumps(old).encode()).text == "x = 1\n"
    assert reason(b"{") == "not a notebook (broken JSON)"
    assert reason(b"[1]") == "not a notebook"
    assert reason(b"{}") == "not a notebook (no cells)"
    assert reason(b"[" * 200_000) == "not a notebook (broken JSON)"
    assert reason(notebook("x", language_info={"name": "julia"})) == "a notebook in julia"


def test_rows_that_only_ipython_reads() -> None:
    source = parse_source("x.ipynb", notebook("%%bash\nls", "x = 1\n!a \\\n  b\n%c", "y = 5 % 3", "%%time\ny = 2"))
    assert [cell.magics for cell in source.cells] == [((1, 2),), ((4, 5), (6, 6)), (), ((8, 8),)]


def test_no_warnings_of_the_code_that_is_read(recwarn: pytest.WarningsRecorder) -> None:
    parse_source("x.ipynb", notebook("x = '\\d' % 3"))
    assert not recwarn.list


def test_broken_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(notebook("x = 1\ny = 2", "z = 3\nz = = 4"))
    built = build_facts([SourceRef(str(path), "x.ipynb")], 1, None)
    assert [reason.partition(": ")[2] for _, reason in built.skipped] == ["invalid syntax (cell 2, line 2)"]


def test_same_bytes_with_another_suffix_are_other_facts(tmp_path: Path) -> None:
    data = notebook("x = 1")
    refs = [SourceRef(str(tmp_path / name), name) for name in ("x.py", "x.ipynb")]
    for ref in refs:
        Path(ref.path).write_bytes(data)
    first, second = build_facts(refs, 1, tmp_path / "cache").facts
    assert first.blob != second.blob
    assert build_facts(refs, 1, tmp_path / "cache").facts == [first, second]


def test_notebooks_may_be_large(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    picture = {"cell_type": "code", "source": "x = 1", "outputs": ["a" * SIZE_LIMIT]}
    path.write_text(json.dumps({"cells": [picture]}))
    assert read_source(str(path)).text == "x = 1\n"
    shutil.copy(path, tmp_path / "x.py")
    with pytest.raises(Unreadable, match="larger than 5 MB"):
        read_source(str(tmp_path / "x.py"))
