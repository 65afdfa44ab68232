"""`fix`: what is planned, what is verified, what is shown and written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from support import write
from toy_core import FIXES, TOYS, ToyCore

from ddplint.cli import main
from ddplint.config import Settings
from ddplint.engine import FixResult, fix
from ddplint.findings import Action, Span
from ddplint.rewriting import FileRewriter

pytestmark = pytest.mark.usefixtures("project")


def repair(unsafe: bool = True, apply: bool = True) -> FixResult:
    return fix(["."], Settings(cache=False), apply=apply, unsafe=unsafe, core=ToyCore(), rules=TOYS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("x = bad(1)\n", "x = good(1)\n", id="one"),
        pytest.param("x = bad(bad(1))\n", "x = good(good(1))\n", id="nested, edits apart"),
        pytest.param("x = fade(bad(1))\n", "import random\n\nx = random.random()\n", id="nested, one covers the other"),
        pytest.param("x = drop(drop(1))\n", "x = 1\n", id="nested, the same kind"),
        pytest.param("x = drop(drop(drop(bad(1))))\n", "x = good(1)\n", id="four nested"),
        pytest.param(
            "x = fade(1) + fade(2)\n", "import random\n\nx = random.random() + random.random()\n", id="one import"
        ),
        pytest.param("x = shuffled(drop(1), shuffle=True)\n", "x = ordered(1, shuffle=False)\n", id="keyword"),
        pytest.param("é = 'ü', bad('ö')  # ä\n", "é = 'ü', good('ö')  # ä\n", id="wide characters"),
        pytest.param("x = drop(  # why\n    1\n)\n", "# why\nx = 1\n", id="comment within"),
        pytest.param("if x: bad(1)\n", "if x: good(1)\n", id="one row"),
    ],
)
def test_what_fixes_make(before: str, after: str) -> None:
    write(a=before)
    result = repair()
    assert Path("a.py").read_text() == after
    assert not result.errors
    assert not repair().written


def test_rounds_are_needed_only_for_what_collides() -> None:
    write(a="x = drop(drop(1))\n", b="".join("bad(1)\n" for _ in range(50)))
    core = ToyCore()
    fix(["."], Settings(cache=False), apply=True, core=core, rules=TOYS)
    assert core.checks <= 3


def test_files_change_together() -> None:
    write(a="x = pair(1)\n", b="y = pair(2)\n", c="z = bad(3)\n")
    result = repair()
    assert [Path(f"{name}.py").read_text() for name in "abc"] == ["x = paired(1)\n", "y = paired(2)\n", "z = good(3)\n"]
    assert result.written == ("a.py", "b.py", "c.py")


def test_files_stay_together() -> None:
    write(a="x = pair(1)\n", b="y = pair(2)\n", c="z = bad(3)\n")
    Path("b.py").chmod(0o444)
    result = repair()
    assert [Path(f"{name}.py").read_text() for name in "abc"] == ["x = pair(1)\n", "y = pair(2)\n", "z = good(3)\n"]
    assert {reason for _, reason in result.open} == {"b.py is not written: it is read-only"}
    assert not result.errors


def test_safe_ones_only_unless_asked() -> None:
    write(a="x = risky(bad(1))\n")
    result = repair(unsafe=False)
    assert Path("a.py").read_text() == "x = risky(good(1))\n"
    assert [reason for _, reason in result.open] == ["its fix is unsafe (it is a risk); --unsafe-fixes writes it"]
    repair()
    assert Path("a.py").read_text() == "x = good(good(1))\n"


@pytest.mark.parametrize(
    ("bug", "message"),
    [
        ("stubborn", "TOY001 at a.py:4 would still be there"),
        ("broken", "a.py would not parse"),
        ("worse", "TOY001 at a.py:3 would still be there"),
        ("crash", "its codemod crashed: LookupError: no codemod for actions of kind `no-such-kind`"),
    ],
)
def test_wrong_fixes_are_dropped_and_reported(bug: str, message: str) -> None:
    write(a=f"x = bad(1)\n\ny = {bug}(2)\nz = bad(3)\n", b="bad(4)\n")
    result = repair()
    assert Path("a.py").read_text() == f"x = good(1)\n\ny = {bug}(2)\nz = good(3)\n"
    assert Path("b.py").read_text() == "good(4)\n"
    (error,) = result.errors
    assert error.startswith("defect of rule TOY001: the fix of TOY001 at a.py:3:5 was dropped: ")
    assert message in error


def test_new_finding_is_traced_to_its_fix() -> None:
    write(a="".join(f"x{number} = bad(1)\n" for number in range(9)), b="y = worse(1)\nz = 1\n")

    def plant(span: Span) -> tuple[Action, ...]:
        other = Span("b.py", 2, 1, 2, 6)
        return (*FIXES["bad"](span), Action("insert-after", other, (("code", "hopeless(1)"),)))

    with mock.patch.dict("toy_core.FIXES", {"worse": plant}):
        result = repair()
    assert Path("b.py").read_text() == "y = worse(1)\nz = 1\n"
    assert Path("a.py").read_text() == "".join(f"x{number} = good(1)\n" for number in range(9))
    (error,) = result.errors
    assert "TOY001 at b.py:1:5" in error
    assert "would be new: a call of hopeless" in error


def test_lost_comment_is_a_defect() -> None:
    write(a="bad(1)  # keep me\n")

    def lose(self: FileRewriter, start: int, end: int, content: str, node: object) -> None:
        self._add(start, len(self.text) - 1, f"{content}(1)")

    with mock.patch.object(FileRewriter, "_change", lose):
        result = repair()
    assert Path("a.py").read_text() == "bad(1)  # keep me\n"
    assert "would lose the comment `# keep me`" in result.errors[0]


def test_suppressed_findings_stay(toy: ToyCore, capsys: pytest.CaptureFixture[str]) -> None:
    write(a="bad(1)  # noqa: TOY001\nbad(2)\n")
    assert main(["fix", "--apply"]) == 0
    assert Path("a.py").read_text() == "bad(1)  # noqa: TOY001\ngood(2)\n"


def test_only_what_is_given_is_shown_but_the_project_is_context(toy: ToyCore) -> None:
    write(a="x = bad(1)\n", b="y = bad(2)\n", c="z = pair(1)\n", d="z = pair(2)\n")
    assert main(["fix", "--apply", "a.py", "c.py"]) == 0
    assert [Path(f"{name}.py").read_text() for name in "abcd"] == [
        "x = good(1)\n",
        "y = bad(2)\n",
        "z = paired(1)\n",
        "z = paired(2)\n",
    ]


def test_links_out_of_the_project_are_left(tmp_path: Path, toy: ToyCore, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "outside.py").write_text("x = bad(1)\n")
    Path("a.py").symlink_to(tmp_path / "outside.py")
    assert main(["fix", "--apply"]) == 1
    assert (tmp_path / "outside.py").read_text() == "x = bad(1)\n"
    assert "a.py is not written: it is a link to a file outside the project" in capsys.readouterr().out


def test_select(toy: ToyCore) -> None:
    write(a="x = risky(bad(1))\n")
    assert main(["fix", "--apply", "--unsafe-fixes", "--select", "TOY002"]) == 0
    assert Path("a.py").read_text() == "x = good(bad(1))\n"


def test_diff(toy: ToyCore, capsys: pytest.CaptureFixture[str]) -> None:
    write(a="x = bad(1)\n" + "\n" * 20 + "y = risky(2)\nz = hopeless(1)", b="1\n")
    assert main(["fix"]) == 1
    captured = capsys.readouterr()
    assert captured.out == (
        "--- a/a.py\n+++ b/a.py\n"
        "@@ -1,4 +1,4 @@ TOY001 toy-call (safe)\n-x = bad(1)\n+x = good(1)\n \n \n \n"
        "@@ -19,5 +19,5 @@ TOY002 other-toy (unsafe: it is a risk)\n \n \n \n-y = risky(2)\n+y = good(2)\n"
        " z = hopeless(1)\n\\ No newline at end of file\n"
    )
    assert captured.err == (
        "left a.py:23:5: TOY001 toy-call: nobody knows how\n"
        "2 findings would be fixed (1 safe, 1 unsafe) in 1 file: "
        "--apply writes the safe ones, --apply --unsafe-fixes all; 1 finding left.\n"
    )
    assert Path("a.py").read_text().startswith("x = bad(1)")


def test_apply_says_what_it_did(toy: ToyCore, capsys: pytest.CaptureFixture[str]) -> None:
    write(a="x = fade(1)\ny = risky(2)\nz = hopeless(1)\n", b="pair(1)\n", c="\npair(2)\n")
    assert main(["fix", "--apply"]) == 1
    assert capsys.readouterr().out == (
        "fixed a.py:1: TOY001 toy-call (safe): mend fade\n"
        "fixed b.py:1: TOY001 toy-call (safe): mend pair (also in c.py)\n"
        "fixed c.py:2: TOY001 toy-call (safe): mend pair\n"
        "left a.py:4:5: TOY002 other-toy: its fix is unsafe (it is a risk); --unsafe-fixes writes it\n"
        "left a.py:5:5: TOY001 toy-call: nobody knows how\n"
        "3 findings fixed (3 safe) in 3 files; 2 findings left.\n"
    )


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("x = 1\n", [], 0),
        ("bad(1)\n", [], 1),
        ("bad(1)\n", ["--apply"], 0),
        ("bad(1)\n", ["--exit-zero"], 0),
        ("hopeless(1)\n", ["--apply"], 1),
        ("hopeless(1)\n", ["--apply", "--fail-on", "error"], 0),
        ("stubborn(1)\n", [], 2),
    ],
)
def test_exit_codes(toy: ToyCore, text: str, options: list[str], expected: int) -> None:
    write(a=text)
    assert main(["fix", *options]) == expected


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_diff_can_be_applied(toy: ToyCore, capsys: pytest.CaptureFixture[str], newline: str) -> None:
    text = "x = bad(1)\n" + "\n" * 20 + "y = risky(2)\nz = fade(1)"
    Path("a.py").write_bytes(text.replace("\n", newline).encode())
    write(b="pair(1)\n", p__c="pair(1)\n")
    main(["fix"])
    diff = capsys.readouterr().out
    main(["fix", "--apply", "--unsafe-fixes"])
    fixed = [Path(name).read_bytes() for name in ("a.py", "b.py", "p/c.py")]
    Path("a.py").write_bytes(text.replace("\n", newline).encode())
    write(b="pair(1)\n", p__c="pair(1)\n")
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=diff.encode(), check=True)
    assert [Path(name).read_bytes() for name in ("a.py", "b.py", "p/c.py")] == fixed


def test_json_has_the_edits(toy: ToyCore, capsys: pytest.CaptureFixture[str]) -> None:
    write(a="x = fade(1)\ny = pair(2)\n", b="pair(3)\n")
    main(["check", "--output-format", "json"])
    rows = json.loads(capsys.readouterr().out)
    assert [[(edit["filename"], edit["content"]) for edit in row["fix"]["edits"]] for row in rows] == [
        [("a.py", "import random\n\n"), ("a.py", "random.random()")],
        [("a.py", "paired"), ("b.py", "paired")],
        [("a.py", "paired"), ("b.py", "paired")],
    ]
    assert rows[0]["fix"]["edits"][1]["location"] == {"row": 1, "column": 5}
    assert rows[0]["fix"]["edits"][1]["end_location"] == {"row": 1, "column": 12}


