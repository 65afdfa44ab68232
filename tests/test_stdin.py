"""`-` and --stdin-filename: one file's text comes from standard input."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from fake_core import FakeCore
from support import Ran, Run
from toy_core import ToyCore

from ddplint.cli import main
from ddplint.config import OUTPUT_FORMATS
from ddplint.source import SIZE_LIMIT

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    def call(text: str | bytes, *arguments: str) -> Ran:
        data = text.encode() if isinstance(text, str) else text
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        code = main(arguments)
        captured = capsysbinary.readouterr()
        return Ran(code, captured.out.decode(), captured.err.decode())

    return call


JSON = ("--output-format", "json")


# check


def test_the_text_counts_instead_of_the_file(core: FakeCore, run: Run) -> None:
    Path("a.py").write_text("BUG101 = 1\n")
    assert run("x = 1\nBUG101 = 2\n", "check", "-", "--stdin-filename", "a.py", *JSON).rows == [("a.py", 2)]
    ran = run("x = 1\n", "check", "-", "--stdin-filename", "a.py")
    assert (ran.code, ran.out) == (0, "No findings; 1 file read (1 line).\n")
    assert Path("a.py").read_text() == "BUG101 = 1\n"


def test_dash_may_be_left_out(core: FakeCore, run: Run) -> None:
    assert run("BUG101 = 2\n", "check", "--stdin-filename", "a.py", *JSON).rows == [("a.py", 1)]


def test_project_on_disk_is_the_context(core: FakeCore, run: Run) -> None:
    Path("b.py").write_text("BUG101 = 1  # FROM a.py\n")
    Path("c.py").write_text("BUG101 = 1\n")
    assert run("x = 1\n", "check", "-", "--stdin-filename", "a.py", *JSON).rows == [("b.py", 1)]


@pytest.mark.parametrize("name", ["new.py", "no/such/folder/new.py"])
def test_the_file_need_not_exist(core: FakeCore, run: Run, name: str) -> None:
    ran = run("BUG101 = 1\n", "check", "-", "--stdin-filename", name, *JSON)
    assert (ran.rows, ran.err) == ([(name, 1)], "")


def test_without_a_name_there_is_no_project(core: FakeCore, run: Run) -> None:
    Path("b.py").write_text("BUG101 = 1  # FROM -\n")
    ran = run("BUG203 = 1\n", "check", "-")
    assert ran.out.startswith("-:1:1: warning DDP203")
    assert "1 file read" in ran.out


def test_a_file_called_dash_can_be_given(core: FakeCore, run: Run) -> None:
    Path("-").write_text("BUG203 = 1\n")
    assert run("", "check", "./-", *JSON).rows == [("-", 1)]


def test_lines_and_comments_are_those_of_the_text(core: FakeCore, run: Run) -> None:
    Path("a.py").write_text("BUG101 = 'old'\nBUG203 = 1\n")
    ran = run("BUG101 = 'new'\nBUG203 = 1  # noqa: DDP203\n", "check", "-", "--stdin-filename", "a.py")
    assert "1 | BUG101 = 'new'" in ran.out
    assert "DDP203" not in ran.out


@pytest.mark.parametrize("form", OUTPUT_FORMATS)
def test_every_format(core: FakeCore, run: Run, form: str) -> None:
    ran = run("x = 1\nBUG101 = 1\n", "check", "-", "--stdin-filename", "sub/a.py", "--output-format", form)
    assert ran.code == 1
    assert "sub/a.py" in ran.out


def test_edits_in_json_fit_the_text(toy: ToyCore, run: Run) -> None:
    Path("a.py").write_text("\n\nx = bad(1)\n")
    (row,) = json.loads(run("x = bad(1)\n", "check", "-", "--stdin-filename", "a.py", *JSON).out)
    assert [edit["location"]["row"] for edit in row["fix"]["edits"]] == [1]


def test_notebook(core: FakeCore, run: Run) -> None:
    text = json.dumps({"cells": [{"cell_type": "code", "source": source} for source in ("!ls", "x\nBUG101")]})
    ran = run(text, "check", "-", "--stdin-filename", "a.ipynb", "--output-format", "concise")
    assert ran.out.startswith("a.ipynb:cell 2:2:1: ")


def test_settings_are_those_of_the_named_file(core: FakeCore, run: Run) -> None:
    Path("sub").mkdir()
    Path("sub/pyproject.toml").write_text("[tool.ddplint]\nignore = ['DDP101']\n")
    assert run("BUG101 = 1\n", "check", "-", "--stdin-filename", "sub/a.py", *JSON).rows == []
    assert run("BUG101 = 1\n", "check", "-", "--stdin-filename", "a.py", *JSON).rows == [("a.py", 1)]


def test_what_is_on_disk_answers_from_the_cache(core: FakeCore, run: Run) -> None:
    Path("a.py").write_text("BUG101 = 1\n")
    run("", "check", "a.py")
    assert run("BUG101 = 1\n", "check", "-", "--stdin-filename", "a.py", *JSON).rows == [("a.py", 1)]
    assert core.built == 1
    run("BUG101 = 2\n", "check", "-", "--stdin-filename", "a.py")
    assert core.built == 2


# bad use


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "-", "a.py"], "give no other path"),
        (["check", "-", "-"], "give no other path"),
        (["check", "a.py", "--stdin-filename", "a.py"], "give no other path"),
        (["fix", "-", "."], "give no other path"),
        (["fix", "-", "--add-ignore"], "work on files, not on standard input"),
        (["check", "-", "--stdin-filename", "."], "--stdin-filename is a folder: ."),
        (["baseline", "-"], "no such file or folder: -"),
    ],
)
def test_bad_use_is_one_line_and_exit_2(core: FakeCore, run: Run, arguments: list[str], expected: str) -> None:
    Path("a.py").touch()
    ran = run("x = 1\n", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert expected in ran.err


def test_closed_input(core: FakeCore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["check", "-"]) == 2
    assert capsys.readouterr().err == "ddplint: error: standard input is closed\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"x = (\n", "no Python 3", id="broken"),
        pytest.param(b"x\x00", "binary (contains NUL bytes)", id="NUL"),
        pytest.param(b"'\xe9'", "not decodable as utf-8", id="encoding"),
        pytest.param(b"#" * (SIZE_LIMIT + 1), "larger than 5 MB", id="large"),
    ],
)
def test_what_cannot_be_read_is_skipped_as_files_are(core: FakeCore, run: Run, data: bytes, reason: str) -> None:
    Path("a.py").write_text("BUG101 = 1\n")
    ran = run(data, "check", "-", "--stdin-filename", "a.py")
    assert ran.code == 0
    assert ran.err.startswith(f"ddplint: skipped a.py: {reason}")


# fix


def test_fix_shows_the_diff(toy: ToyCore, run: Run) -> None:
    Path("a.py").write_text("something = else_()\n")
    ran = run("x = bad(1)\n", "fix", "-", "--stdin-filename", "a.py")
    assert ran.code == 1
    assert ran.out.startswith("--- a/a.py\n+++ b/a.py\n")
    assert ran.out.endswith("-x = bad(1)\n+x = good(1)\n")


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        pytest.param(b"x = bad(1)\n", b"x = good(1)\n", 0, id="fixed"),
        pytest.param(b"\xef\xbb\xbfx = bad(1)\r\n# \xc3\xa9", b"\xef\xbb\xbfx = good(1)\r\n# \xc3\xa9", 0, id="form"),
        pytest.param(b"x = 1", b"x = 1", 0, id="nothing to do"),
        pytest.param(b"hopeless(bad(1))\n", b"hopeless(good(1))\n", 1, id="something left"),
        pytest.param(b"risky(1)\n", b"risky(1)\n", 1, id="unsafe"),
        pytest.param(b"x = (\x00", b"x = (\x00", 0, id="unreadable"),
    ],
)  # fmt: skip
def test_fix_apply_prints_the_repaired_text(toy: ToyCore, run: Run, before: bytes, after: bytes, code: int) -> None:
    Path("a.py").write_text("on disk\n")
    ran = run(before, "fix", "--apply", "-", "--stdin-filename", "a.py")
    assert (ran.out.encode(), ran.code) == (after, code)
    assert Path("a.py").read_text() == "on disk\n"


def test_fix_changes_no_other_file(toy: ToyCore, run: Run) -> None:
    Path("b.py").write_text("x = pair(1)\n")
    ran = run("y = pair(2)\n", "fix", "--apply", "-", "--stdin-filename", "a.py")
    assert (ran.out, ran.code) == ("y = pair(2)\n", 1)
    assert Path("b.py").read_text() == "x = pair(1)\n"
    assert "left a.py:1:5: TOY001 toy-call: its fix changes b.py, and only what standard input holds is " in ran.err


def test_fix_of_a_notebook(toy: ToyCore, run: Run) -> None:
    text = '{"cells": [{"cell_type": "code", "source": ["%s"]}]}\n'
    ran = run(text % "bad(1)", "fix", "--apply", "-", "--stdin-filename", "a.ipynb")
    assert ran.out == text % "good(1)"


# --force-exclude


@pytest.mark.parametrize(
    "name", ["skipped/a.py", "skipped/deep/a.py", "build/a.py", "ignored/a.py", "b_pb2.py", "sub/c_pb2.py"]
)
def test_excluded_files_are_left_out_on_request(core: FakeCore, run: Run, name: str) -> None:
    Path("pyproject.toml").write_text("[tool.ddplint]\nexclude = ['skipped/']\n")
    Path(".gitignore").write_text("ignored/\n*_pb2.py\n")
    arguments = ("-", "--stdin-filename", name)
    assert run("BUG101 = 1\n", "check", *arguments, *JSON).rows == [(name, 1)]
    ran = run("BUG101 = 1\n", "check", "--force-exclude", *arguments, *JSON)
    assert (ran.rows, ran.code) == ([], 0)
    ran = run("BUG101 = 1\n", "fix", "--force-exclude", "--apply", *arguments)
    assert (ran.out, ran.code) == ("BUG101 = 1\n", 0)


def test_other_given_files_stay(core: FakeCore, run: Run) -> None:
    for name in ("a.py", "build/b.py", "tools/script"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("BUG101 = 1\n")
    paths = ("a.py", "build/b.py", "tools/script")
    assert run("", "check", "--force-exclude", *paths, *JSON).rows == [("a.py", 1), ("tools/script", 1)]
    assert run("", "check", "--force-exclude", "build", *JSON).rows == [("build/b.py", 1)]
