"""`ddplint new-rule`: what it writes, and what it says of rules that are not finished."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_rules import rule_text, write
from support import pytest_output

from ddplint.cli import main
from ddplint.registry import discover, gather
from ddplint.scaffold import new_rule, unfinished

SECTIONS = ["What it does", "Why it is a bug", "Example", "Instead", "Not reported", "Fix safety", "References"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def checkout(here: Path) -> Path:
    """What makes a folder a checkout of ddplint."""
    write(here / "tree/ddplint/registry.py", "")
    write(here / "tree/rules/base.py", "")
    write(here / "tree/rules/some_rule.py", 'class R:\n    code = "DDP204"\n')
    return here / "tree"


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["new-rule", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("ddplint: error: ")


class TestNewRule:
    def test_files(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["new-rule", "stale-mask", "--code", "ACME201", "--into", "lint"]) == 0
        said = capsys.readouterr()
        names = [
            "lint/stale_mask.py",
            "lint/tests/fixtures/ACME201/bug_todo.py",
            "lint/tests/fixtures/ACME201/near_todo.py",
            "lint/tests/test_stale_mask.py",
        ]
        assert said.out.splitlines() == names
        assert "`ddplint new-rule --check lint` lists what is to be written." in said.err
        assert sorted(str(path) for path in Path("lint").rglob("*.py")) == names

    def test_it_loads_is_listed_and_is_silent(self, capsys: pytest.CaptureFixture[str]) -> None:
        new_rule("stale-mask", "ACME201", None)
        write(Path("app.py"), "import torch\nprint(torch.rand(2).sum())\n")
        assert main(["rules", "--rule-path", "ddplint_rules"]) == 0
        assert "ACME201  stale-mask" in capsys.readouterr().out
        assert main(["check", "--rule-path", "ddplint_rules"]) == 0
        assert main(["explain", "ACME201", "--rule-path", "ddplint_rules"]) == 0

    def test_its_test_runs_and_lists_what_is_to_be_written(self) -> None:
        new_rule("stale-mask", "ACME201", None)
        output = pytest_output(Path("ddplint_rules"))
        assert "1 failed, 4 passed" in output, output
        assert "section 'Why it is a bug' is still to be written" in output
        assert "fixture ACME201/bug_todo expects no finding of ACME201" in output

    @pytest.mark.parametrize(
        ("there", "code"),
        [((), "TEAM101"), (("ACME107", "ACME103"), "ACME108"), (("AB099",), "AB100"), (("AB999",), "AB1000")],
    )
    def test_the_next_code(self, there: tuple[str, ...], code: str) -> None:
        for number, one in enumerate(there):
            write(Path(f"lint/rule_{number}.py"), rule_text(one, f"rule-{number}"))
        paths = new_rule("stale-mask", None, Path("lint"))
        assert f'    code = "{code}"\n' in paths[0].read_text()

    def test_nothing_is_overwritten(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("lint/tests/test_stale_mask.py"), "mine\n")
        assert error(capsys, "stale-mask", "--into", "lint") == (
            "lint/tests/test_stale_mask.py is already there; nothing is written"
        )
        assert [str(path) for path in Path("lint").rglob("*") if path.is_file()] == ["lint/tests/test_stale_mask.py"]
        assert Path("lint/tests/test_stale_mask.py").read_text() == "mine\n"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "new-rule needs a NAME, or --check PATH"),
            (["Stale"], "a rule's name must be two or more lower-case words joined by hyphens, not 'Stale'"),
            (["sigmoid-before-bce"], "sigmoid-before-bce is already the name of a rule of ddplint"),
            (["stale-mask", "--code", "acme1"], "a code must be capital letters and at least three digits"),
            (["stale-mask", "--code", "DDP999"], "codes of ddplint's own rules, and only those, begin with DDP"),
            (["stale-mask", "--into", "lint", "--code", "ACME101"], "ACME101 is already the code of a rule in lint"),
            (["stale-mask", "--into", "lint", "--check", "lint"], "--check does not go with --code or --into"),
            (["--check", "nowhere"], "no such file or folder of rules: nowhere"),
            (["other-rule", "--check", "lint"], "no rule other-rule in lint"),
        ],
    )
    def test_wrong_arguments(self, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
        write(Path("lint/legacy_call.py"), rule_text())
        assert error(capsys, *arguments).startswith(said)

    def test_in_a_checkout(self, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(checkout)
        names = [str(path) for path in new_rule("stale-mask", "DDP205", None)]
        assert names == [
            "rules/stale_mask.py",
            "tests/fixtures/DDP205/bug_todo.py",
            "tests/fixtures/DDP205/near_todo.py",
            "tests/proofs/test_proof_ddp205.py",
        ]
        compile(Path(names[-1]).read_text(), names[-1], "exec")

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ((), "--code must say which family the rule is of"),
            (("--code", "ACME101"), "codes of ddplint's own rules, and only those, begin with DDP: ACME101"),
            (("--code", "DDP204"), "DDP204 is already the code of a rule in tree"),
        ],
    )
    def test_codes_in_a_checkout(
        self, checkout: Path, capsys: pytest.CaptureFixture[str], code: tuple[str, ...], said: str
    ) -> None:
        assert error(capsys, "stale-mask", "--into", "tree", *code).startswith(said)


class TestCheck:
    def test_a_new_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        new_rule("stale-mask", "ACME201", Path("lint"))
        assert main(["new-rule", "--check", "lint"]) == 1
        assert capsys.readouterr().out.splitlines() == [
            *(f"ACME201 stale-mask: section '{title}' is still to be written" for title in SECTIONS),
            "ACME201 stale-mask: the summary is still to be written",
            "ACME201 stale-mask: section 'References' has no link",
            "ACME201 stale-mask: fixture ACME201/bug_todo expects no finding of ACME201",
        ]

    def test_a_finished_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("lint/legacy_call.py"), rule_text())
        write(Path("lint/tests/fixtures/ACME101/bug_call.py"), "legacy(1)  # expect: ACME101 warning safe\n")
        write(Path("lint/tests/fixtures/ACME101/near_name.py"), "legacy = 1\n")
        for place in ("lint", "lint/legacy_call.py"):
            assert main(["new-rule", "--check", place]) == 0
            assert capsys.readouterr().out == "ACME101 legacy-call: lacks nothing\n"

    def test_one_of_several(self, capsys: pytest.CaptureFixture[str]) -> None:
        new_rule("stale-mask", "ACME201", Path("lint"))
        write(Path("lint/legacy_call.py"), rule_text())
        main(["new-rule", "legacy-call", "--check", "lint"])
        assert {line.split()[1] for line in capsys.readouterr().out.splitlines()} == {"legacy-call:"}

    def test_a_broken_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("lint/broken_rule.py"), "1 / 0\n")
        assert "lint/broken_rule.py cannot be loaded" in error(capsys, "--check", "lint")

    def test_another_checkout(self, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "is not the ddplint that runs" in error(capsys, "--check", str(checkout))

    def test_a_rule_of_the_checkout_without_all(self, monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
        """What ddplint's own rules owe beside: numbers of fixtures, a line in the changelog, a proof."""
        tree = here / "tree"
        write(tree / "ddplint/registry.py", "")
        write(tree / "rules/base.py", "")
        write(tree / "CHANGELOG.md", "nothing\n")
        write(tree / "tests/proofs/test_proof_ddp203.py", "# TODO\n")
        monkeypatch.setattr("ddplint.__file__", str(tree / "ddplint/__init__.py"))
        (owed,) = unfinished(tree, "DDP203").values()
        assert owed == [
            "0 fixtures fixtures/DDP203/bug_*, at least 12 are needed",
            "0 fixtures fixtures/DDP203/near_*, at least 12 are needed",
            "CHANGELOG.md does not name DDP203",
            "test test_proof_ddp203.py is still to be written",
        ]
        (owed,) = unfinished(tree, "DDP302").values()
        assert owed[-1] == "no test test_proof_ddp302.py runs the bug under torch"


def test_the_scaffold_of_local_rules_and_of_own_ones_is_one_rule(here: Path) -> None:
    (module, *_) = new_rule("stale-mask", "ACME201", Path("lint"))
    catalogue = gather(discover(), [module], plugins=False)
    assert catalogue.errors == ()
    assert catalogue.origins == {"ACME201": "lint/stale_mask.py"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ddplint"],
        env={"_DDPLINT_COMPLETE": f"{shell}_source", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"_DDPLINT_COMPLETE={shell}_complete" in done.stdout


def test_completion_names_commands_and_options() -> None:
    for words, expected in (("ddplint ne", "new-rule"), ("ddplint check --rule", "--rule-path")):
        done = subprocess.run(
            [sys.executable, "-m", "ddplint"],
            env={"_DDPLINT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert f"plain,{expected}" in done.stdout.splitlines()
