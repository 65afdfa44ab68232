"""Notebooks: what is read, how findings name their place, what fixes write back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_core import FIXES, TOYS, ToyCore

from ddplint.cli import main
from ddplint.config import Settings
from ddplint.engine import FixResult, fix
from ddplint.facts.build import build_facts
from ddplint.files import SourceRef
from ddplint.findings import Action, Edit, Finding, Fix, Span, Step
from ddplint.fixing.notebooks import decode
from ddplint.report.concise import render_concise
from ddplint.report.json import render_json
from ddplint.report.style import Style
from ddplint.report.text import render_text
from ddplint.result import Result
from ddplint.rewriting import FileRewriter, rewrite_common
from ddplint.source import SIZE_LIMIT, Sources, Unreadable, parse_source, read_source


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
        pytest.param("cd ..\npip install -q x\nx = 1", "pass\npass\nx = 1", id="without its %"),
        pytest.param("cd = 1\nls = cd\n%m", "cd = 1\nls = cd\npass", id="names like magics are none"),
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


# places


def finding_in(path: str, row: int) -> Finding:
    span = Span(path, row, 1, row, 2)
    edit = Edit(Span(path, row, 1, row + 1, 1), "y\n")
    return Finding("DDP203", "n", "warning", "m", span, (Step(span, "s"),), Fix("safe", "f", (), edits=(edit,)))


def test_cell_and_line_in_every_place(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_bytes(notebook("a\nb", "c\nd"))
    result = Result((finding_in("x.ipynb", 4),), sources=Sources(str(tmp_path)))
    text = render_text(result, Style())
    assert text.count("x.ipynb:cell 2:2:1: ") == 2
    assert "2 | d\n" in text
    assert render_concise(result, Style()).startswith("x.ipynb:cell 2:2:1: ")
    (row,) = json.loads(render_json(result))
    for place in (row, row["trace"][0], row["fix"]["edits"][0]):
        assert (place["cell"], place["location"]["row"]) == (2, 2)
    assert row["end_location"]["row"] == 2


# writing


def repair(apply: bool = True) -> FixResult:
    return fix(["."], Settings(cache=False), apply=apply, unsafe=True, core=ToyCore(), rules=TOYS)


def fixed(data: bytes) -> bytes:
    """What `fix --apply` makes of a notebook."""
    Path("a.ipynb").write_bytes(data)
    result = repair()
    assert not result.errors
    return Path("a.ipynb").read_bytes()


def sources(data: bytes) -> list[str]:
    cells = json.loads(data)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(["x = bad(1)"], ["x = good(1)"], id="one"),
        pytest.param(["a = 1\nx = bad(1)\n", "b = 2"], ["a = 1\nx = good(1)\n", "b = 2"], id="row end kept"),
        pytest.param(["%%time\nx = bad(1)"], ["%%time\nx = good(1)"], id="below a cell magic"),
        pytest.param(["!ls\nx = bad(1)\n!a \\\n  b"], ["!ls\nx = good(1)\n!a \\\n  b"], id="between magics"),
        pytest.param(["v = !ls\nx = bad(v)"], ["v = !ls\nx = good(v)"], id="below a captured command"),
        pytest.param(["x = drop(\n    1\n)\n%m"], ["x = 1\n%m"], id="fewer rows"),
        pytest.param(
            ["%pip a\nimport os", "x = fade(1)"], ["%pip a\nimport os\nimport random", "x = random.random()"],
            id="import joins the others, at the end of their cell",
        ),
        pytest.param(
            ["import sys", "x = fade(1)"], ["import random\nimport sys", "x = random.random()"],
            id="import before another",
        ),
        pytest.param(
            ["x = fade(1)", "y = 2"], ["import random\n\nx = random.random()", "y = 2"], id="import above all"
        ),
        pytest.param(
            ["import torch\n", "x = fade(1)"], ["import random\n\nimport torch\n", "x = random.random()"],
            id="import of another kind",
        ),
        pytest.param(["x = bad('é\U0001f600')"], ["x = good('é\U0001f600')"], id="wide characters"),
        pytest.param(["", "x = bad(1)", ""], ["", "x = good(1)", ""], id="empty cells"),
        pytest.param(["x = bad(1)\r\ny = drop(\r\n1)\r\n"], ["x = good(1)\r\ny = 1\r\n"], id="Windows rows in a cell"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_list", [True, False], ids=["lists", "strings"])
def test_cells_after_the_fix(project: Path, before: list[str], after: list[str], as_list: bool) -> None:
    data = fixed(notebook(*(cell.splitlines(True) if as_list else cell for cell in before)))
    assert sources(data) == after
    rows = [cell["source"] for cell in json.loads(data)["cells"][1:]]
    assert rows == [text.splitlines(True) if as_list else text for text in after]
    assert fixed(data) == data


def refused(*cells: str) -> str:
    """The reason why the only finding of a notebook is left."""
    data = notebook(*cells)
    Path("a.ipynb").write_bytes(data)
    result = repair()
    assert Path("a.ipynb").read_bytes() == data
    assert not result.errors
    ((_, reason),) = result.open
    return reason


def test_nothing_comes_before_a_cell_magic(project: Path) -> None:
    assert refused("%%time\nx = fade(1)") == "the edit would touch a line of the notebook that only IPython reads"


def plan(kind: str, span: Span, **arguments: str) -> Callable[[Span], tuple[Action, ...]]:
    return lambda _: (Action(kind, span, tuple(arguments.items())),)


@pytest.mark.parametrize(
    ("cells", "kind", "span", "reason"),
    [
        pytest.param(["!ls", "bad(1)"], "remove-statement", (1, 1, 1, 5), "only IPython reads", id="a magic"),
        pytest.param(["v = !ls", "bad(1)"], "remove-statement", (1, 1, 1, 18), "only IPython reads", id="its target"),
        pytest.param(
            ["if 1:\n    !ls", "bad(1)"], "remove-statement", (1, 1, 2, 9), "only IPython reads", id="a block with one"
        ),
        pytest.param(["%%sh\nls", "bad(1)"], "insert-after", (2, 1, 2, 5), "only IPython reads", id="after a script"),
        pytest.param(["%%sh\nls", "bad(1)"], "insert-before", (1, 1, 1, 5), "only IPython reads", id="before one"),
        pytest.param(
            ["if 1:\n    bad(1)", "    x"], "remove-statement", (1, 1, 3, 6), "one cell into another", id="two cells"
        ),
    ],
)  # fmt: skip
def test_edits_that_are_refused(
    project: Path, cells: list[str], kind: str, span: tuple[int, int, int, int], reason: str
) -> None:
    arguments = {"code": "x = 1"} if kind.startswith("insert") else {}
    with mock.patch.dict(FIXES, {"bad": plan(kind, Span("a.ipynb", *span), **arguments)}):
        assert reason in refused(*cells)


@pytest.mark.parametrize(
    ("cells", "kind", "span", "after"),
    [
        pytest.param(["a", "bad(1)"], "insert-after", (1, 1, 1, 2), ["a\nx = 1", "bad(1)"], id="after the last row"),
        pytest.param(["a", "bad(1)"], "insert-before", (2, 1, 2, 7), ["a", "x = 1\nbad(1)"], id="before the first row"),
        pytest.param(["a", "bad(1)"], "insert-after", (2, 1, 2, 7), ["a", "bad(1)\nx = 1"], id="after the very last"),
        pytest.param(["!ls", "bad(1)"], "insert-after", (1, 1, 1, 5), ["!ls\nx = 1", "bad(1)"], id="after a magic"),
        pytest.param(["!ls", "bad(1)"], "insert-before", (1, 1, 1, 5), ["x = 1\n!ls", "bad(1)"], id="before a magic"),
        pytest.param(
            ["if 1:\n    a\n    # b", "    # c", "bad(1)"], "insert-after", (1, 1, 2, 6),
            ["if 1:\n    a\n    # b\nx = 1", "    # c", "bad(1)"], id="after a block",
        ),
        pytest.param(["a\nbad(1)", "b"], "remove-statement", (2, 1, 2, 7), ["a", "b"], id="remove the last row"),
        pytest.param(["a", "bad(1)", "b"], "remove-statement", (2, 1, 2, 7), ["a", "", "b"], id="remove all"),
        pytest.param(["a", "bad(1)", "\nb"], "remove-statement", (2, 1, 2, 7), ["a", "", "\nb"], id="empty row below"),
        pytest.param(
            ["a", "bad(1)\n\nb"], "remove-statement", (2, 1, 2, 7), ["a", "b"], id="with an empty row"
        ),
        pytest.param(["a", "bad(1)  # c", "b"], "remove-statement", (2, 1, 2, 7), ["a", "# c", "b"], id="comment"),
    ],
)  # fmt: skip
def test_edits_at_the_borders_of_cells(
    project: Path, cells: list[str], kind: str, span: tuple[int, int, int, int], after: list[str]
) -> None:
    arguments = {"code": "x = 1"} if kind.startswith("insert") else {}
    Path("a.ipynb").write_bytes(notebook(*cells))
    path = os.path.abspath("a.ipynb")
    document = decode("a.ipynb", path, Path(path).read_bytes())
    file = FileRewriter("a.ipynb", document.text, document.layout)
    rewrite_common(Action(kind, Span("a.ipynb", *span), tuple(arguments.items())), file)
    file.finish()
    assert sources(document.changed(file.changes).data) == after


def test_names_in_magics_are_read(project: Path) -> None:
    def drop_import(span: Span) -> tuple[Action, ...]:
        return (Action("replace-text", span, (("text", "1"),)), Action("remove-unused-import", span, (("name", "os"),)))

    with mock.patch.dict(FIXES, {"bad": drop_import}):
        assert sources(fixed(notebook("import os", "bad(os)", "%timeit os.getcwd()")))[0] == "import os"
        assert sources(fixed(notebook("import os", "bad(os)", "%timeit 1")))[0] == ""


def test_what_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ipynb").write_bytes(notebook("a = 1", "!ls\nx = bad(1)  # why\n", "hopeless(1)"))
    with mock.patch("ddplint.engine.DefaultCore", ToyCore), mock.patch("ddplint.cli.options.discover", lambda: TOYS):
        assert main(["fix", "--no-cache"]) == 1
        assert capsys.readouterr().out == (
            "--- a/a.ipynb:cell 2\n+++ b/a.ipynb:cell 2\n@@ -1,2 +1,2 @@ TOY001 toy-call (safe)\n"
            " !ls\n-x = bad(1)  # why\n+x = good(1)  # why\n"
        )
        assert main(["fix", "--no-cache", "--apply"]) == 1
    out = capsys.readouterr().out
    assert "fixed a.ipynb:cell 2:2: TOY001 toy-call (safe): mend bad\n" in out
    assert "left a.ipynb:cell 3:1:1: TOY001 toy-call: nobody knows how\n" in out


def test_defects_name_the_cell(project: Path) -> None:
    Path("a.ipynb").write_bytes(notebook("a", "b\nworse(1)"))
    (error,) = repair().errors
    assert "the fix of TOY001 at a.ipynb:cell 2:2:1 was dropped: TOY001 at a.ipynb:cell 2:2 would still be" in error


@pytest.mark.parametrize(
    ("source", "after"),
    [
        pytest.param(r'["x = bad(\"\u003c\/\u00e9\")"]', r'["x = good(\"\u003c\/\u00e9\")"]', id="escapes stay"),
        pytest.param('[ "a\\n" ,"x = bad(1)" ]', '[ "a\\n" ,"x = good(1)" ]', id="odd spaces"),
        pytest.param('["a\\nx = ba", "d(1)\\ny"]', '["a\\nx = good", "(1)\\ny"]', id="items that are no rows"),
        pytest.param('["a\\n", "", "x = bad(1)"]', '["a\\n", "x = good(1)"]', id="an empty item"),
        pytest.param(
            '[\n  "x = fade(1)"\n]', '[\n  "import random\\n",\n  "\\n",\n  "x = random.random()"\n]', id="one, tall"
        ),
        pytest.param(
            '["x = fade(1)"]', '["import random\\n","\\n","x = random.random()"]', id="one row, no spaces in the file"
        ),
    ],
)  # fmt: skip
def test_how_a_source_is_written(project: Path, source: str, after: str) -> None:
    text = '{"cells":[{"cell_type":"code","outputs":["\\u003c"],"source":%s,"execution_count":1.0E3}],"metadata":{}}'
    assert fixed((text % source).encode()).decode() == text % after


@pytest.mark.parametrize(
    ("around", "written"),
    [
        pytest.param("é", "ä", id="plain"),
        pytest.param("\\u00e9", "\\u00e4", id="escaped"),
        pytest.param("e", "ä", id="unknown: as Jupyter does"),
    ],
)
def test_new_characters_are_written_as_the_file_writes_its_own(project: Path, around: str, written: str) -> None:
    text = '{"cells": [{"source": "%s", "cell_type": "markdown"}, {"source": "%s", "cell_type": "code"}]}'
    with mock.patch.dict(FIXES, {"bad": lambda span: (Action("replace-text", span, (("text", "'ä'"),)),)}):
        data = fixed((text % (around, "x = bad(1)")).encode())
    assert data.decode() == text % (around, f"x = '{written}'")


def test_old_notebooks(project: Path) -> None:
    cells = '[{"cell_type": "code", "input": ["x = bad(1)"], "outputs": [1, []]}]'
    text = f'{{"worksheets": [{{"cells": {cells}}}], "cells": null}}'
    assert fixed(text.encode()).decode() == text.replace("bad", "good")


def test_sources_that_are_no_text_are_left(project: Path) -> None:
    Path("a.ipynb").write_text('{"cells": [{"cell_type": "code", "source": ["bad(1)\\n", 3, "x"]}]}')
    assert [reason for _, reason in repair().open] == ["a.ipynb: a cell's source is no list of plain strings"]


ROWS = st.sampled_from(
    [
        "x = bad(1)", "y = bad(bad('é'))", "if x: bad(2)", "z = drop(\n    3\n)", "import os", "# bad(3)", "",
        "'\\t\"'", "w = fade(1)", "%matplotlib inline", "!echo bad(1) \\\n  bad(2)", "s = '\U0001f600'; bad(s)",
        "f = !ls bad(1)",
        "def f():\n    # why\n    return bad(3)", "v = 5 % 3", "'''\n%no\n'''", "torch.bad?", "u = '</script>'",
    ]
)  # fmt: skip
CELLS = st.tuples(
    st.sampled_from(["code", "code", "code", "markdown"]),
    st.sampled_from(["", "", "", "%%time\n", "%%bash\n"]),
    st.lists(ROWS, max_size=4),
    st.booleans(),
)
STYLES = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, "\t"]),
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]),
    }
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cells=st.lists(CELLS, max_size=5), style=STYLES, as_list=st.booleans(), tail=st.sampled_from(["", "\n", "\r\n"]))
def test_only_the_sources_of_changed_cells_are_other_bytes(
    project: Path, cells: list[tuple[str, str, list[str], bool]], style: dict[str, Any], as_list: bool, tail: str
) -> None:
    def shaped(text: str) -> list[str] | str:
        return text.splitlines(True) if as_list else text

    content: dict[str, Any] = {
        "cells": [
            {
                "cell_type": kind,
                "metadata": {"tags": ["bad(1)", "é"]},
                "source": shaped(head + "\n".join(rows) + ("\n" if ended else "")),
                "outputs": [{"text": ["x = bad(1)\n"], "data": 1e-3, "source": "bad(1)"}],
            }
            for kind, head, rows, ended in cells
        ],
        "metadata": {"kernelspec": {"language": "python"}, "source": "bad(1)"},
        "nbformat": 4,
    }
    before = json.dumps(content, **style) + tail
    after = fixed(before.encode()).decode()
    made = json.loads(after)
    assert len(made["cells"]) == len(content["cells"])
    for cell, new in zip(content["cells"], made["cells"]):
        old_rows, new_rows = ("".join(one["source"]).split("\n") for one in (cell, new))
        for row in old_rows:
            if row.startswith(("%", "!", "f = !", "torch.bad?", "  bad(2)")) or "#" in row:
                assert new_rows.count(row) >= old_rows.count(row)
        assert cell["cell_type"] == "code" or new["source"] == cell["source"]
        if new["source"] != cell["source"]:
            cell["source"] = shaped("".join(new["source"]))
    # with the new sources put in, the encoder that made the file makes the same bytes
    assert after == json.dumps(content, **style) + tail
    assert fixed(after.encode()).decode() == after
