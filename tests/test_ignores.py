"""Suppression comments that are unused, misspelt or blanket: reported, removed; and those that are written in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Run

Flaws = Callable[..., list[tuple[str, int, int, str]]]

pytestmark = pytest.mark.usefixtures("project", "core")


@pytest.fixture
def flaws(run: Run) -> Flaws:
    """What is reported of the comments of one text: code, row, column, message."""

    def call(text: str, *arguments: str) -> list[tuple[str, int, int, str]]:
        Path("a.py").write_text(text)
        found = run("check", "--report-unused-ignores", "--output-format", "json", *arguments).findings
        return [
            (item["code"], item["location"]["row"], item["location"]["column"], item["message"])
            for item in found
            if item["code"].startswith("DDP0")
        ]

    return call


def rewritten(run: Run, option: str, text: str, code: int = 0) -> tuple[str, str]:
    """What `fix --apply` with that option makes of a file, and what it says."""
    Path("a.py").write_bytes(text.encode())
    done = run("fix", option, "--apply")
    assert (done.code, done.err) == (code, "")
    return Path("a.py").read_bytes().decode(), done.out


FLAWS = [
    pytest.param("x = 1  # noqa: DDP203\n", "DDP001", 8, "unused: no finding of DDP203 here", id="unused noqa"),
    pytest.param(
        "x = 1  # ddplint: ignore[DDP203, rank0-evaluation]\n",
        "DDP001",
        8,
        "unused: no finding of DDP203, rank0-evaluation here",
        id="unused ignore",
    ),
    pytest.param(
        "BUG203(1)  # noqa: E501, DDP101, DDP203\n", "DDP001", 12, "unused: no finding of DDP101 here", id="one of two"
    ),
    pytest.param(
        "x = 1  # ddplint: ignore[DDP2]\n", "DDP001", 8, "unused: no finding of DDP2 here", id="unused prefix"
    ),
    pytest.param("x = 1  # ddplint: ignore\n", "DDP001", 8, "unused: no finding here", id="unused blanket"),
    pytest.param(
        "# ddplint: ignore-file[DDP203]\nx = 1\n",
        "DDP001",
        1,
        "unused: no finding of DDP203 in this file",
        id="unused file",
    ),
    pytest.param("# ddplint: ignore-file\nx = 1\n", "DDP001", 1, "unused: no finding in this file", id="blanket file"),
    pytest.param(
        "BUG203(1)  # noqa: DDP230\n",
        "DDP002",
        20,
        "unknown rule `DDP230`; did you mean DDP203?",
        id="unknown code",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore[sigmoid-befor-bce]\n",
        "DDP002",
        30,
        "unknown rule `sigmoid-befor-bce`; did you mean sigmoid-before-bce?",
        id="unknown name",
    ),
    pytest.param(
        "BUG203(1)  # noqa DDP203\n",
        "DDP002",
        12,
        "it names no rule and silences all of them; write `# noqa: DDP203`",
        id="no colon",
    ),
    pytest.param(
        "BUG203(1)  # noqa: sigmoid-before-bce\n",
        "DDP002",
        12,
        "it names no rule and silences all of them; write `# noqa: DDP203`",
        id="name after noqa",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignroe[DDP203] -- why\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="misspelt ignore",
    ),
    pytest.param(
        "BUG203(1)  # ddlint: ignore[sigmoid-before-bce]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="misspelt ddplint",
    ),
    pytest.param(
        "BUG203(1)  # ddplint-ignore[DDP203]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="hyphen for colon",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore DDP203\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="no brackets",
    ),
    pytest.param(
        "# ddplint: ignore-fil[DDP203]\nBUG203(1)\n",
        "DDP002",
        1,
        "it silences nothing; write `# ddplint: ignore-file[DDP203]`",
        id="misspelt ignore-file",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: disable\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[CODE]`",
        id="another word",
    ),
    pytest.param(
        "BUG203(1)  # nqoa: DDP203\n", "DDP002", 12, "it silences nothing; write `# noqa: DDP203`", id="misspelt noqa"
    ),
    pytest.param(
        "BUG203(1)  # type: ignore[DDP203]\n",
        "DDP002",
        12,
        "it silences nothing; write `# ddplint: ignore[DDP203]`",
        id="for another tool",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore[]\n", "DDP002", 12, "it names no rule and silences nothing", id="empty brackets"
    ),
    pytest.param(
        "# noqa: DDP203\nBUG203(1)\n",
        "DDP002",
        1,
        "it covers nothing; `noqa` must stand at the end of the line that it is for",
        id="noqa above",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore-file[DDP203]\n",
        "DDP002",
        12,
        "it covers nothing; `ignore-file` must stand on a line of its own",
        id="file beside code",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore-file\n",
        "DDP002",
        12,
        "it covers nothing; `ignore-file` must stand on a line of its own",
        id="blanket file beside code",
    ),
    pytest.param(
        "BUG203(1)\n# ddplint: ignore[DDP203]\n",
        "DDP002",
        1,
        "it covers nothing; no statement follows",
        id="at the end",
    ),
    pytest.param(
        "BUG203(BUG101)  # noqa\n",
        "DDP003",
        17,
        "it silences every rule; name what is meant: `# noqa: DDP101, DDP203`",
        id="blanket noqa",
    ),
    pytest.param(
        "BUG203(1)  # ddplint: ignore -- why\n",
        "DDP003",
        12,
        "it silences every rule; name what is meant: `# ddplint: ignore[DDP203]`",
        id="blanket ignore",
    ),
    pytest.param(
        "# ddplint: ignore-file\nBUG203(1)\n",
        "DDP003",
        1,
        "it silences every rule; name what is meant: `# ddplint: ignore-file[DDP203]`",
        id="blanket file in use",
    ),
]


@pytest.mark.parametrize(("text", "code", "column", "message"), FLAWS)
def test_flaws(flaws: Flaws, text: str, code: str, column: int, message: str) -> None:
    assert [(item[0], item[2], item[3]) for item in flaws(text)] == [(code, column, message)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("BUG203(1)  # noqa: DDP203\n", id="used"),
        pytest.param("BUG203(1)  # noqa: DDP2, E501 -- why\n", id="used prefix, and a code of another tool"),
        pytest.param("x = 1  # noqa\n", id="bare noqa may be another tool's"),
        pytest.param("x = 1  # noqa: E501, F401\n", id="codes of other tools"),
        pytest.param("x = 1  # noqa E501\n", id="misspelt for other tools"),
        pytest.param("BUG203(1)  # noqa: DDP203  # ddplint: ignore[DDP203]\n", id="two for one finding"),
        pytest.param("# ddplint: ignore[DDP203]\nBUG203(\n  1,\n)\n", id="above"),
        pytest.param("# ddplint: ignore-file[DDP203]\nx = 1\nBUG203(1)\n", id="file"),
        pytest.param("x = 1  # see DDP203 and ddplint ignores\n", id="prose"),
        pytest.param("x = 1  # expect: DDP203 warning\n", id="a word before a colon"),
        pytest.param("x = 1  # type: ignore[arg-type]  # ruff: ignore[F401]\n", id="other tools"),
        pytest.param("x = '# ddplint: ignroe[DDP203]'\n", id="string"),
    ],
)
def test_nothing_wrong(run: Run, flaws: Flaws, text: str) -> None:
    assert flaws(text) == []
    assert rewritten(run, "--remove-unused-ignores", text) == (text, "No unused ignore was removed.\n")


def test_only_rules_that_ran_are_judged(run: Run, flaws: Flaws) -> None:
    text = "x = 1  # noqa: DDP203\ny = 1  # ddplint: ignore\nz = 1  # ddplint: ignore[DDP2]\nBUG203(1)  # noqa: DDP2\n"
    assert [row for _, row, _, _ in flaws(text)] == [1, 2, 3]
    assert flaws(text, "--select", "DDP101") == []
    assert [row for _, row, _, _ in flaws(text, "--select", "DDP203")] == [1]
    assert flaws(text + "w = 1  # CRASH\n") == []


def test_rule_left_out_in_a_file_is_not_unused(flaws: Flaws) -> None:
    Path("pyproject.toml").write_text('[tool.ddplint.per-file-ignores]\n"a.py" = ["DDP203"]\n')
    assert flaws("BUG203(1)  # noqa: DDP203\n") == []


def test_exit_code_and_reports(run: Run) -> None:
    Path("a.py").write_text("x = 1  # noqa: DDP203\n")
    assert run("check").code == 0
    done = run("check", "--report-unused-ignores")
    assert done.code == 1
    assert "a.py:1:8: warning DDP001 unused-ignore: unused: no finding of DDP203 here\n" in done.out
    assert "no fix: `ddplint fix --remove-unused-ignores` removes it\n" in done.out
    assert run("check", "--report-unused-ignores", "--fail-on", "error").code == 0
    Path("pyproject.toml").write_text("[tool.ddplint]\nreport-unused-ignores = true\n")
    assert run("check").code == 1
    for name in ("concise", "json", "json-lines", "sarif", "github", "gitlab", "junit"):
        assert "DDP001" in run("check", "--output-format", name).out, name


def test_given_files_only(run: Run) -> None:
    for name in ("a.py", "b.py"):
        Path(name).write_text("x = 1  # noqa: DDP203\n")
    done = run("check", "--report-unused-ignores", "--output-format", "json", "a.py")
    assert [item["filename"] for item in json.loads(done.out)] == ["a.py"]


def test_explained(run: Run) -> None:
    for name in ("DDP001", "misspelt-ignore", "ddp003"):
        done = run("explain", name)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith("# DDP00")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("x = 1  # noqa: DDP203\n", "x = 1\n", id="whole comment"),
        pytest.param("x = 1  # noqa: DDP203  \t\n", "x = 1\n", id="white space behind"),
        pytest.param("x = 1 # noqa: DDP203 -- see #12\n", "x = 1\n", id="reason goes too"),
        pytest.param("x = 1  # noqa: DDP203 because of y\n", "x = 1  # because of y\n", id="other words stay"),
        pytest.param("x = 1  # noqa: DDP203 # type: ignore\n", "x = 1  # type: ignore\n", id="comment behind"),
        pytest.param("x = 1  # é!  #  noqa:DDP203\n", "x = 1  # é!\n", id="comment before"),
        pytest.param("x = 1  # a # noqa: DDP203 # b\n", "x = 1  # a # b\n", id="comments around"),
        pytest.param("x = 1  # a # noqa: DDP203 b\n", "x = 1  # a # b\n", id="comment before, words behind"),
        pytest.param("x = 1  # noqa: DDP203, E501\n", "x = 1  # noqa: E501\n", id="first of two"),
        pytest.param("x = 1  # noqa:E501 , DDP203\n", "x = 1  # noqa:E501\n", id="last of two"),
        pytest.param("x = 1  # noqa: E501,DDP203  F401\n", "x = 1  # noqa: E501  F401\n", id="middle one"),
        pytest.param(
            "x = 1  # noqa: DDP101,DDP203, E501,DDP204,F401 DDP203 -- a\n",
            "x = 1  # noqa: E501,F401 -- a\n",
            id="several",
        ),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[DDP101, DDP203] -- why\n",
            "BUG203(1)  # ddplint: ignore[DDP203] -- why\n",
            id="one of two",
        ),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[DDP203, DDP230]\n", "BUG203(1)  # ddplint: ignore[DDP203]\n", id="unknown"
        ),
        pytest.param(
            "x = 1  # noqa: DDP203 # ddplint: ignore[DDP101, DDP230] # ddplint: ignore\n",
            "x = 1\n",
            id="all of several",
        ),
        pytest.param("x = 1  # ddplint: ignroe[DDP203] -- why\n", "x = 1\n", id="misspelt"),
        pytest.param("x = 1  # ddplint: ignore[]\n", "x = 1\n", id="empty"),
        pytest.param("# ddplint: ignore-file[DDP203]\nx = 1\n", "x = 1\n", id="file"),
        pytest.param("x = 1\n\t# ddplint: ignore\n# a\ny = 1\n", "x = 1\n# a\ny = 1\n", id="row above"),
        pytest.param("x = 1\n# a # ddplint: ignore\ny = 1\n", "x = 1\n# a\ny = 1\n", id="row above with words"),
        pytest.param("x = 1\n# noqa: DDP203", "x = 1\n", id="last row without an end"),
        pytest.param(
            "x = (\n  1,  # noqa: DDP203\n  # ddplint: ignore[DDP203]\n)\n", "x = (\n  1,\n)\n", id="brackets"
        ),
        pytest.param("x = 1  # noqa: DDP203\r\n# noqa: DDP203\r\ny = 1\r\n", "x = 1\r\ny = 1\r\n", id="windows"),
        pytest.param("x = 1  # noqa: DDP203\r# noqa: DDP203\ry = 1\r", "x = 1\ry = 1\r", id="old mac"),
    ],
)
def test_removed(run: Run, before: str, after: str) -> None:
    Path("a.py").write_bytes(before.encode())
    shown = run("fix", "--remove-unused-ignores")
    assert (shown.code, Path("a.py").read_bytes()) == (1, before.encode())
    assert shown.out.startswith("--- a/a.py\n+++ b/a.py\n@@ ")
    assert "would be removed in 1 file" in shown.err
    assert rewritten(run, "--remove-unused-ignores", before)[0] == after
    assert rewritten(run, "--remove-unused-ignores", after) == (after, "No unused ignore was removed.\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("BUG203(1)  # ddplint: ignore\n", id="blanket in use"),
        pytest.param("x = 1  # noqa DDP203\n", id="blanket by accident"),
        pytest.param("x = 1  # ddplint: ignore DDP203\n", id="no brackets"),
    ],
)
def test_reported_but_not_removed(run: Run, text: str) -> None:
    assert rewritten(run, "--remove-unused-ignores", text, code=1)[0] == text


def test_left_is_named(run: Run) -> None:
    Path("a.py").write_text("BUG203(1)  # noqa DDP203\nx = 1  # noqa: DDP101\n")
    done = run("fix", "--remove-unused-ignores", "--apply")
    assert done.code == 1
    assert done.out == (
        "removed a.py:2:8: DDP001 unused-ignore: unused: no finding of DDP101 here\n"
        "left a.py:1:12: DDP002 misspelt-ignore: it names no rule and silences all of them; write `# noqa: DDP203`: "
        "only you know what is meant\n"
        "1 unused ignore removed in 1 file; 1 left.\n"
    )


def test_rules_that_did_not_run_keep_their_comments(run: Run) -> None:
    Path("a.py").write_text("x = 1  # noqa: DDP101, DDP203\n")
    run("fix", "--remove-unused-ignores", "--apply", "--select", "DDP101")
    assert Path("a.py").read_text() == "x = 1  # noqa: DDP203\n"


I = "  # ddplint: ignore[DDP203]"  # noqa: E741


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("BUG203(1)\n", f"BUG203(1){I}\n", id="line"),
        pytest.param("BUG203(1)", f"BUG203(1){I}", id="no line end"),
        pytest.param("BUG203(1) \t\n", f"BUG203(1){I}\n", id="white space behind"),
        pytest.param("BUG203(BUG101)\n", "BUG203(BUG101)  # ddplint: ignore[DDP101, DDP203]\n", id="two rules"),
        pytest.param("if 1:\n\tBUG203(1)\n", f"if 1:\n\tBUG203(1){I}\n", id="tab"),
        pytest.param("BUG203(\n  1,\n)\n", f"BUG203({I}\n  1,\n)\n", id="several rows"),
        pytest.param("x = (\n  BUG203,\n)\n", f"x = (\n  BUG203,{I}\n)\n", id="within a statement"),
        pytest.param("x = BUG203 + \\\n  1\ny = 1\n", f"x = BUG203 + \\\n  1{I}\ny = 1\n", id="backslash"),
        pytest.param("f(\n  BUG203 + \\\n  1,\n)\n", f"f(\n  BUG203 + \\\n  1,{I}\n)\n", id="backslash in brackets"),
        pytest.param('x = BUG203, """a\nb"""\n', f'x = BUG203, """a\nb"""{I}\n', id="string"),
        pytest.param('x = f"""a\n{BUG203}\nb"""\n', f'x = f"""a\n{{BUG203}}\nb"""{I}\n', id="within a string"),
        pytest.param(
            'f(BUG203, """a\n""", """\nb""",\n  1)\n', f'f(BUG203, """a\n""", """\nb""",{I}\n  1)\n', id="strings"
        ),
        pytest.param("if BUG203:\n  pass\n", f"if BUG203:{I}\n  pass\n", id="header"),
        pytest.param("@BUG203\ndef f(): pass\n", f"@BUG203{I}\ndef f(): pass\n", id="decorator"),
        pytest.param("x = 1; BUG203(1)\n", f"x = 1; BUG203(1){I}\n", id="statements in one line"),
        pytest.param("BUG203(1)\r\nx = 1\r\n", f"BUG203(1){I}\r\nx = 1\r\n", id="windows"),
        pytest.param("BUG203(1)\rx = 1\r", f"BUG203(1){I}\rx = 1\r", id="old mac"),
        pytest.param("\ufeffé = BUG203\n", f"\ufeffé = BUG203{I}\n", id="byte order mark"),
        pytest.param("BUG203(1)  # noqa: E501\n", f"BUG203(1)  # noqa: E501{I}\n", id="comment of another tool"),
        pytest.param("BUG203(1)  # why  \n", f"BUG203(1)  # why{I}\n", id="comment"),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[DDP101] -- why\n",
            "BUG203(1)  # ddplint: ignore[DDP101, DDP203] -- why\n",
            id="merged",
        ),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[ DDP101 , ] # a\n",
            "BUG203(1)  # ddplint: ignore[ DDP101, DDP203 , ] # a\n",
            id="merged in odd form",
        ),
        pytest.param("BUG203(1)  # ddplint: ignore[]\n", f"BUG203(1)  # ddplint: ignore[]{I}\n", id="empty one stays"),
        pytest.param(
            "# ddplint: ignore[DDP101]\nBUG203(1)\n", f"# ddplint: ignore[DDP101]\nBUG203(1){I}\n", id="one above stays"
        ),
    ],
)
def test_added(run: Run, before: str, after: str) -> None:
    Path("a.py").write_bytes(before.encode())
    shown = run("fix", "--add-ignore")
    assert (shown.code, Path("a.py").read_bytes()) == (1, before.encode())
    assert shown.out.startswith("--- a/a.py\n+++ b/a.py\n@@ ")
    assert "would be ignored in 1 file; --apply writes the comments.\n" in shown.err
    assert rewritten(run, "--add-ignore", before)[0] == after
    assert run("check").code == 0
    assert rewritten(run, "--add-ignore", after) == (after, "No finding was ignored.\n")


@pytest.mark.parametrize(
    ("before", "reason", "after"),
    [
        pytest.param("BUG203(1)\n", "two\nwords", f"BUG203(1){I} -- two words\n", id="new"),
        pytest.param("BUG203(1)\n", "see #12", f"BUG203(1){I} -- see #12\n", id="number of an issue"),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[DDP101] -- a\n",
            "b",
            "BUG203(1)  # ddplint: ignore[DDP101] -- a  # ddplint: ignore[DDP203] -- b\n",
            id="another reason",
        ),
        pytest.param(
            "BUG203(1)  # ddplint: ignore[DDP101] -- a\n",
            "a",
            "BUG203(1)  # ddplint: ignore[DDP101, DDP203] -- a\n",
            id="same reason",
        ),
    ],
)
def test_added_with_a_reason(run: Run, before: str, reason: str, after: str) -> None:
    Path("a.py").write_text(before)
    assert run("fix", "--add-ignore", "--reason", reason, "--apply").code == 0
    assert Path("a.py").read_text() == after
    assert run("check").code == 0


def test_selection_baseline_and_given_files_count(run: Run) -> None:
    for name in ("a.py", "b.py"):
        Path(name).write_text("BUG203(1)\n")
    run("baseline")
    for name in ("a.py", "b.py"):
        Path(name).write_text("BUG203(1)\nBUG203(2)\nBUG101(3)\n")
    done = run("fix", "--add-ignore", "--apply", "--select", "DDP203", "a.py")
    assert done.out == "ignored a.py:2:1: DDP203 sigmoid-before-bce\n1 finding ignored in 1 file.\n"
    assert Path("a.py").read_text() == f"BUG203(1)\nBUG203(2){I}\nBUG101(3)\n"
    assert Path("b.py").read_text() == "BUG203(1)\nBUG203(2)\nBUG101(3)\n"


def test_file_that_cannot_hold_the_reason_is_left(run: Run) -> None:
    text = "# coding: latin-1\nx = 'é', BUG203\n".encode("latin-1")
    Path("a.py").write_bytes(text)
    Path("b.py").write_text("BUG203(1)\n")
    done = run("fix", "--add-ignore", "--apply", "--reason", "数据")
    assert done.code == 1
    assert "left a.py:2:10: DDP203" in done.out
    assert "its encoding (iso-8859-1) cannot hold the comment\n" in done.out
    assert "1 finding ignored in 1 file; 1 left.\n" in done.out
    assert Path("a.py").read_bytes() == text
    assert run("fix", "--add-ignore", "--apply").code == 0


def test_comment_must_not_become_an_encoding(run: Run) -> None:
    Path("a.py").write_text("BUG203(1)\n", encoding="utf-8")
    done = run("fix", "--add-ignore", "--apply", "--reason", "coding: latin-1")
    # the first two rows may name an encoding only in a row of their own
    assert done.code == 0
    Path("b.py").write_text("# ddplint: ignore\n# noqa: DDP203\n# coding: latin-1\nx = 1\n")
    run("fix", "--remove-unused-ignores", "--apply")
    assert Path("b.py").read_text() == "# ddplint: ignore\n# noqa: DDP203\n# coding: latin-1\nx = 1\n"


def test_notebook(run: Run) -> None:
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "BUG203(1)"]},
        {"cell_type": "code", "source": ["# noqa: DDP203"]},
    ]
    Path("a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1))
    assert run("fix", "--add-ignore", "--apply").code == 0
    assert json.loads(Path("a.ipynb").read_text())["cells"][0]["source"][1] == f"BUG203(1){I}"
    assert run("fix", "--remove-unused-ignores", "--apply").code == 0
    assert "".join(json.loads(Path("a.ipynb").read_text())["cells"][1]["source"]) == ""
    assert run("check", "--report-unused-ignores").code == 0


def test_crash_changes_nothing(run: Run) -> None:
    text = "BUG203(1)\nx = 1  # RULECRASH\n"
    Path("a.py").write_text(text)
    for option in ("--add-ignore", "--remove-unused-ignores"):
        done = run("fix", option, "--apply")
        assert done.code == 2
        assert "rule DDP203 crashed" in done.err
    assert Path("a.py").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reason", "x"], "--reason only goes with --add-ignore"),
        (["--add-ignore", "--remove-unused-ignores"], "--add-ignore and --remove-unused-ignores exclude each other"),
        (["--add-ignore", "--unsafe-fixes"], "--unsafe-fixes does not go with --add-ignore or --remove-unused-ignores"),
        (["--add-ignore", "--reason", " "], "a reason must be some words"),
        (["--add-ignore", "--reason", "x # noqa"], "a reason must be some words"),
        (["--add-ignore", "--reason", "x # y"], "a reason must be some words"),
    ],
)
def test_bad_options(run: Run, arguments: list[str], message: str) -> None:
    Path("a.py").write_text("BUG203(1)\n")
    done = run("fix", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"ddplint: error: {message}")
