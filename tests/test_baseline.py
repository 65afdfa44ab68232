"""The baseline: what is known stays known through edits, moves and merges; what is new is reported."""

from __future__ import annotations

import json
import os
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Run, git

from ddplint.baseline import BASELINE

Edit = Callable[[str], str]
New = Callable[..., list[tuple[str, int]]]

pytestmark = pytest.mark.usefixtures("project", "core")

TRAIN = """\
import torch


def step(model, batch):
    scores = model(batch)
    loss = BUG203(scores, batch)
    loss.backward()


class Trainer:
    def validate(self, loader):
        for batch in loader:
            BUG101(batch)
"""


@pytest.fixture
def new(run: Run) -> New:
    """The findings that a baseline does not hold back, by file and row."""
    return lambda *arguments: run("check", "--output-format", "json", *arguments).rows


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(textwrap.dedent(text))


def entries(file: str = BASELINE) -> list[dict[str, object]]:
    return [row for row in json.loads(Path(file).read_text())["findings"] if row]


def test_written_then_silent(run: Run, new: New) -> None:
    write("train.py", TRAIN)
    assert run("check").code == 1
    done = run("baseline")
    assert (done.code, done.out, done.err) == (0, f"{BASELINE} knows 2 findings (2 new).\n", "")
    assert [(row["rule"], row["path"], row["scope"], row["code"]) for row in entries()] == [
        ("DDP101", "train.py", "Trainer.validate", "BUG101(batch)"),
        ("DDP203", "train.py", "step", "loss = BUG203(scores, batch)"),
    ]
    assert not {key for row in entries() for key in row} & {"row", "line", "column"}
    checked = run("check")
    assert (checked.code, checked.err) == (0, "")
    assert "2 held back by the baseline" in checked.out
    assert len(new("--no-baseline")) == 2
    assert run("check", "--no-baseline").code == 1


def test_only_new_ones_are_reported(run: Run, new: New) -> None:
    write("train.py", TRAIN)
    run("baseline")
    write("train.py", TRAIN + "\nBUG203(1)\n")
    write("other.py", "BUG101(1)\n")
    assert new() == [("other.py", 1), ("train.py", 15)]
    assert run("check").code == 1
    shown = run("check").out
    assert "2 held back by the baseline" in shown
    assert "2 findings (1 error, 1 warning)" in shown


EDITS = [
    pytest.param(lambda text: "import os\n\n\n" + text, id="rows above"),
    pytest.param(lambda text: text.replace("torch\n", "torch\n\n\ndef f():\n    pass\n"), id="function above"),
    pytest.param(lambda text: text.replace("    loss.backward()\n", "    print(loss)\n"), id="next statement"),
    pytest.param(lambda text: text.replace("    scores = model(batch)\n", ""), id="statement before"),
    pytest.param(
        lambda text: text.replace("    scores = model(batch)\n", "    a = 1\n").replace("loss.backward()", "pass"),
        id="statements before and after",
    ),
    pytest.param(
        lambda text: text.replace("    loss = BUG", "    if batch:\n        loss = BUG"),
        id="indented",
    ),
    pytest.param(lambda text: textwrap.indent(text, "\t").replace("\t", "if 1:\n\t", 1), id="whole file indented"),
    pytest.param(
        lambda text: text.replace("BUG203(scores, batch)", "BUG203(\n        scores,\n        batch,\n    )"),
        id="wrapped",
    ),
    pytest.param(lambda text: text.replace("scores, batch)", "scores, batch)  # why"), id="comment added"),
    pytest.param(lambda text: text.replace("def step", "def train_step"), id="function renamed"),
    pytest.param(lambda text: text.replace("class Trainer", "class Loop"), id="class renamed"),
    pytest.param(lambda text: text.replace("\n", "\r\n"), id="line ends"),
    pytest.param(
        lambda text: text[text.index("class") :] + "\n\n" + text[: text.index("class")],
        id="order of definitions",
    ),
]


@pytest.mark.parametrize("edit", EDITS)
def test_known_through_edits(run: Run, new: New, edit: Edit) -> None:
    write("train.py", TRAIN)
    run("baseline")
    changed = edit(TRAIN)
    assert changed != TRAIN
    Path("train.py").write_bytes(changed.encode())
    assert new() == []
    assert run("check").err == ""


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text.replace("BUG203(scores", "BUG203(logits"), id="the statement itself"),
        pytest.param(
            lambda text: text + "\n\ndef other(batch):\n    loss = BUG203(scores, batch)\n",
            id="a copy in another function",
        ),
    ],
)
def test_what_counts_as_new(run: Run, new: New, edit: Edit) -> None:
    write("train.py", TRAIN)
    run("baseline")
    write("train.py", edit(TRAIN))
    assert len(new()) == 1


TWICE = """\
def step(model, batch):
    first(batch)
    loss = BUG203(batch)
    second(batch)
    third(batch)
"""


@pytest.mark.parametrize(
    ("after", "row"),
    [
        pytest.param("    third(batch)\n", 6, id="below"),
        pytest.param("def step(model, batch):\n", 2, id="above"),
    ],
)
def test_two_copies_in_one_function_one_of_them_new(run: Run, new: New, after: str, row: int) -> None:
    write("a.py", TWICE)
    run("baseline")
    write("a.py", TWICE.replace(after, f"{after}    loss = BUG203(batch)\n"))
    assert new() == [("a.py", row)]


def test_copy_right_beside_is_new(run: Run, new: New) -> None:
    write("a.py", TWICE)
    run("baseline")
    write("a.py", TWICE.replace("    loss = BUG203(batch)\n", "    loss = BUG203(batch)\n" * 2))
    assert len(new()) == 1


def test_equal_copies_are_counted(run: Run, new: New) -> None:
    pair = "x = 1\nBUG203(1)\ny = 2\n"
    write("a.py", pair * 2)
    run("baseline")
    assert [row.get("count") for row in entries()] == [2]
    write("a.py", "".join(f"y = 2\n{pair}" for _ in range(3)))
    assert len(new()) == 1
    run("baseline")
    assert [row.get("count") for row in entries()] == [3]
    assert new() == []
    write("a.py", "".join(f"y = 2\n{pair}" for _ in range(4)))
    assert len(new()) == 1
    write("a.py", f"y = 2\n{pair}")
    left = run("check")
    assert left.code == 0
    assert "  DDP203 a.py: BUG203(1) (2 times)\n" in left.err


@pytest.mark.parametrize("target", ["renamed.py", "pkg/train.py"])
def test_file_that_moved(run: Run, new: New, target: str) -> None:
    write("train.py", TRAIN)
    run("baseline")
    Path(target).parent.mkdir(exist_ok=True)
    os.rename("train.py", target)
    assert new() == []
    Path(target).write_text(TRAIN.replace("    scores = model(batch)\n", "").replace("loss.backward()", "pass"))
    assert new() == []
    # at the next rewriting the entries get the new name
    assert run("baseline", "--prune").out == f"{BASELINE} knows 2 findings.\n"
    assert {row["path"] for row in entries()} == {target}


def test_copy_of_a_file_is_new(run: Run, new: New) -> None:
    write("train.py", TRAIN)
    run("baseline")
    write("copy.py", TRAIN)
    assert new() == [("copy.py", 6), ("copy.py", 13)]
    # although the file that is known is not read
    assert new("--exclude", "train.py") == [("copy.py", 6), ("copy.py", 13)]


def test_function_that_moved_to_another_file(run: Run, new: New) -> None:
    write("train.py", TRAIN)
    run("baseline")
    start = TRAIN.index("class")
    write("train.py", TRAIN[:start])
    write("trainer.py", TRAIN[start:])
    assert new() == []


def test_vanished_entries_are_named_and_dropped(run: Run) -> None:
    write("train.py", TRAIN)
    write("gone.py", "BUG203(1)\n")
    run("baseline")
    os.unlink("gone.py")
    write("train.py", TRAIN.replace("BUG101", "fine"))
    checked = run("check")
    assert checked.code == 0
    assert checked.err == (
        f"ddplint: 2 entries match nothing any more in {BASELINE} (`ddplint baseline --prune` drops them):\n"
        "ddplint:   DDP203 gone.py: BUG203(1)\n"
        "ddplint:   DDP101 train.py in Trainer.validate: BUG101(batch)\n"
    )
    write("new.py", "BUG203(2)\n")
    assert run("baseline", "--prune").out == f"{BASELINE} knows 1 finding (2 gone).\n"
    assert [row["path"] for row in entries()] == ["train.py"]
    after = run("check", "--output-format", "json")
    assert (after.rows, after.err) == ([("new.py", 1)], "")


def test_many_vanished_entries_are_cut(run: Run) -> None:
    write("a.py", "".join(f"BUG203({number})\n" for number in range(14)))
    run("baseline")
    write("a.py", "x = 1\n")
    assert run("check").err.endswith("ddplint:   and 4 others; -v names them\n")
    assert run("check", "-v").err.count("  DDP203 a.py: BUG203(") == 14


def test_what_a_run_cannot_tell_of_stays(run: Run, new: New) -> None:
    write("one/a.py", "BUG203(1)\nBUG101(1)\n")
    write("two/b.py", "BUG203(2)\n")
    run("baseline")
    assert len(entries()) == 3
    for arguments in (["one"], ["one/a.py"], ["--select", "DDP101"], ["one", "--ignore", "DDP203"]):
        assert run("check", *arguments).err == "", arguments
        assert run("baseline", *arguments).out == f"{BASELINE} knows 3 findings.\n", arguments
    write("one/a.py", "x = 1\n")
    assert run("check", "two").err == ""
    assert "DDP101 one/a.py: BUG101(1)" in run("check", "--select", "DDP101").err
    assert "DDP203" not in run("check", "--select", "DDP101").err
    assert run("baseline", "one").out == f"{BASELINE} knows 1 finding (2 gone).\n"
    write("two/b.py", "BUG203(2)\n(\n")
    assert run("check").err == "ddplint: skipped two/b.py: no Python 3 (SyntaxError)\n"
    assert run("baseline").out == f"{BASELINE} knows 1 finding.\n"


def test_single_file_adds_only_its_own(run: Run, new: New) -> None:
    write("a.py", "BUG203(1)\n")
    write("b.py", "BUG203(2)\n")
    assert run("baseline", "a.py").out == f"{BASELINE} knows 1 finding (1 new).\n"
    assert new() == [("b.py", 1)]
    assert new("a.py") == []


def test_suppressed_findings_are_not_written(run: Run) -> None:
    write("a.py", "BUG203(1)  # noqa: DDP203\nBUG203(2)\n")
    assert run("baseline").out == f"{BASELINE} knows 1 finding (1 new).\n"
    assert "1 suppressed by comments, 1 held back by the baseline" in run("check").out
    assert "ddplint: 1 suppressed by comments, 1 held back by the baseline\n" in run("check", "-v").err


def test_where_it_is_found(run: Run, new: New, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("pkg/a.py", "BUG203(1)\n")
    run("baseline", "pkg")
    assert Path(BASELINE).is_file()
    monkeypatch.chdir("pkg")
    assert new() == []
    assert new("a.py") == []
    assert new(str(project)) == []
    assert new("--isolated") == [("a.py", 1)]
    assert new("--isolated", "--baseline", f"../{BASELINE}") == []
    assert "baseline: " in run("check", "-v").err


def test_name_from_command_line_and_configuration(run: Run, new: New) -> None:
    write("a.py", "BUG203(1)\n")
    Path("lint").mkdir()
    assert run("baseline", "--baseline", "lint/known.json").out == "lint/known.json knows 1 finding (1 new).\n"
    assert entries("lint/known.json")[0]["path"] == "../a.py"
    assert new() == [("a.py", 1)]
    assert new("--baseline", "lint/known.json") == []
    Path("pyproject.toml").write_text('[tool.ddplint]\nbaseline = "lint/known.json"\n')
    assert new() == []
    assert new("--no-baseline") == [("a.py", 1)]
    write("a.py", "BUG203(1)\nBUG203(2)\n")
    assert run("baseline").out == "lint/known.json knows 2 findings (1 new).\n"
    assert not Path(BASELINE).exists()


def test_fix_leaves_what_is_known(run: Run) -> None:
    write("a.py", "BUG101(1)\n")
    run("baseline")
    write("a.py", "BUG101(1)\nBUG101(2)\n")
    fixed = run("fix")
    assert "left a.py:2:1" in fixed.err
    assert "left a.py:1:1" not in fixed.err
    assert "Nothing to repair; 1 finding left; 1 held back by the baseline.\n" in fixed.err
    assert "2 findings left.\n" in run("fix", "--no-baseline").err


BROKEN = [
    pytest.param("{", "broken JSON: ", id="no JSON"),
    pytest.param("<<<<<<< HEAD\n{}", "broken JSON: ", id="conflict"),
    pytest.param("[" * 100_000, "broken JSON: ", id="nested too deeply"),
    pytest.param("[]", "expected a table with a list `findings`", id="no table"),
    pytest.param('{"version": 1, "findings": {}}', "expected a table with a list `findings`", id="no list"),
    pytest.param('{"version": 2, "findings": []}', "expected version 1, found 2", id="newer version"),
    pytest.param('{"findings": []}', "expected version 1, found None", id="no version"),
    pytest.param('{"version": 1, "findings": [null, 3]}', "entry 2: expected a table", id="no entry"),
    pytest.param('{"version": 1, "findings": [{"path": 3}]}', "entry 1: `path` must be a string", id="wrong type"),
    pytest.param(b"\xff", "broken JSON: ", id="no text"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
@pytest.mark.parametrize("command", ["check", "fix", "baseline"])
def test_broken_file(run: Run, content: str | bytes, message: str, command: str) -> None:
    write("a.py", "BUG203(1)\n")
    Path(BASELINE).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run(command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"ddplint: error: baseline {Path(BASELINE).absolute()}: {message}")
    assert done.err.count("\n") == 1
    assert run("check", "--no-baseline").code == 1


@pytest.mark.parametrize("count", [0, -1, True, "2", 1.5, None])
def test_broken_count(run: Run, count: object) -> None:
    write("a.py", "BUG203(1)\n")
    run("baseline")
    content = json.loads(Path(BASELINE).read_text())
    content["findings"][0]["count"] = count
    Path(BASELINE).write_text(json.dumps(content))
    done = run("check")
    assert done.code == 2
    assert "entry 1: `count` must be a whole number from 1" in done.err


def test_missing_file(run: Run) -> None:
    write("a.py", "BUG203(1)\n")
    done = run("check", "--baseline", "none.json")
    assert done.code == 2
    assert done.err == (
        f"ddplint: error: baseline {Path('none.json').absolute()}: not found; `ddplint baseline` writes it\n"
    )
    both = run("check", "--baseline", "none.json", "--no-baseline")
    assert (both.code, both.err) == (2, "ddplint: error: --baseline and --no-baseline exclude each other\n")
    folder = run("baseline", "--baseline", "nowhere/b.json")
    assert (folder.code, folder.out) == (2, "")
    assert folder.err.count("\n") == 1


def test_crash_writes_nothing(run: Run) -> None:
    write("a.py", "BUG203(1)\n")
    run("baseline")
    before = Path(BASELINE).read_bytes()
    write("a.py", "x = 1  # CRASH\n")
    done = run("baseline")
    assert done.code == 2
    assert f"{BASELINE} is not written" in done.err
    assert Path(BASELINE).read_bytes() == before
    assert "match" not in run("check").err


def test_file_form(run: Run) -> None:
    write("b.py", "BUG203('é')\n")
    write("a.py", "BUG203(1)\nBUG101(" + "1, " * 100 + ")\n")
    run("baseline")
    text = Path(BASELINE).read_text()
    lines = text.splitlines()
    assert lines[:3] == ["{", '"version": 1,', '"findings": [']
    assert lines[-3:] == ["null", "]", "}"]
    assert [json.loads(line.rstrip(","))["path"] for line in lines[3:-3]] == ["a.py", "a.py", "b.py"]
    assert all(line.endswith(",") and len(line) < 400 for line in lines[3:-3])
    assert text.isascii()
    run("baseline")
    assert Path(BASELINE).read_text() == text
    assert not list(Path().glob("*.tmp")) + list(Path().glob(".ddplint-*.tmp"))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
def test_mode_and_link_stay(run: Run) -> None:
    write("a.py", "BUG203(1)\n")
    Path("shared").mkdir()
    run("baseline")
    os.rename(BASELINE, "shared/real.json")
    Path("shared/real.json").chmod(0o640)
    Path(BASELINE).symlink_to("shared/real.json")
    write("a.py", "BUG203(1)\nBUG203(2)\n")
    run("baseline")
    assert Path(BASELINE).is_symlink()
    assert stat.S_IMODE(Path("shared/real.json").stat().st_mode) == 0o640
    assert len(entries("shared/real.json")) == 2


@pytest.mark.parametrize("attribute", ["", f"{BASELINE} merge=union\n"])
def test_two_branches_merge(run: Run, new: New, attribute: str) -> None:
    numbers = range(0, 90, 10)
    write("m.py", "".join(f"BUG203({number})\n" for number in numbers))
    for name in "abcdefghijkl":
        write(f"{name}.py", f"BUG203('{name}')\n")
    if attribute:
        Path(".gitattributes").write_text(attribute)
    run("baseline")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "start")
    git("checkout", "-qb", "left")
    # both ends of the list change on both sides; with `union` even in one place
    write("aa.py", "BUG203('left')\n")
    if attribute:
        write("z.py", "BUG203('left')\n")
    run("baseline")
    git("add", ".")
    git("commit", "-qm", "left")
    git("checkout", "-q", "main")
    write("gg.py", "BUG203('right')\n")
    write("zz.py", "BUG203('right')\n")
    run("baseline")
    git("add", ".")
    git("commit", "-qm", "right")
    git("merge", "-q", "left", "-m", "merge")
    done = run("check", "--output-format", "json")
    assert (done.rows, done.err) == ([], "")


def test_entries_that_a_merge_doubled_hold_back_once(run: Run, new: New) -> None:
    write("a.py", "x = 1\nBUG203(1)\ny = 2\n")
    run("baseline")
    lines = Path(BASELINE).read_text().splitlines(keepends=True)
    Path(BASELINE).write_text("".join([*lines[:3], lines[3], lines[3], *lines[4:]]))
    assert new() == []
    write("a.py", "x = 1\nBUG203(1)\ny = 2\n" * 2)
    assert len(new()) == 1
    Path(BASELINE).write_text("".join([*lines[:3], lines[3], lines[3].replace("}", ', "count": 2}'), *lines[4:]]))
    assert new() == []
