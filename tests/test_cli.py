from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_core import RULES, FakeCore
from support import Run, write

from ddplint.cache import ResultCache, cache_folder
from ddplint.config import Settings
from ddplint.documentation import SECTIONS, DocumentationError, parse_documentation
from ddplint.engine import check
from ddplint.registry import RegistryError, discover

FAKE = Path(__file__).with_name("fake_core.py")


pytestmark = pytest.mark.usefixtures("project", "core")


# exit codes


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        pytest.param("x = 1\n", [], 0, id="nothing to report"),
        pytest.param("BUG203 = 1\n", [], 1, id="warning"),
        pytest.param("BUG204 = 1\n", [], 0, id="note"),
        pytest.param("BUG204 = 1\n", ["--fail-on", "note"], 1, id="note, asked for"),
        pytest.param("BUG203 = 1\n", ["--fail-on", "error"], 0, id="warning below the limit"),
        pytest.param("BUG101 = 1\n", ["--fail-on", "error"], 1, id="error"),
        pytest.param("BUG101 = 1\n", ["--exit-zero"], 0, id="exit zero"),
        pytest.param("x = 1  # CRASH\n", ["--exit-zero"], 2, id="crash"),
        pytest.param("RULECRASH = BUG203 = 1\n", [], 2, id="rule crash"),
    ],
)
def test_exit_codes(run: Run, text: str, options: list[str], expected: int) -> None:
    write(a=text)
    assert run("check", *options).code == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["check", "nope"], "no such file or folder: nope"),
        (["check", "--select", "DDP9"], "unknown rule `DDP9`"),
        (["check", "--ignore", "sigmoid-bce"], "unknown rule `sigmoid-bce`; did you mean sigmoid-before-bce?"),
        (["check", "--config", "none.yaml"], "no such configuration file: none.yaml"),
        (["check", "--config", "pyproject.toml", "--isolated"], "exclude each other"),
        (["check", "--output-format", "xml"], "xml"),
        (["check", "--jobs", "many"], "many"),
        (["check", "--frobnicate"], "--frobnicate"),
        (["frobnicate"], "frobnicate"),
        (["explain", "DDP9"], "unknown rule `DDP9`"),
        (["fix", "nope"], "no such file or folder: nope"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, arguments: list[str], expected: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert ran.err.startswith("ddplint: error: ")
    assert ran.err.count("\n") == 1


def test_broken_configuration(run: Run) -> None:
    Path("pyproject.toml").write_text("[tool.ddplint\n")
    ran = run("check")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "pyproject.toml: broken TOML" in ran.err
    assert run("check", "--isolated").code == 0


def test_severity_counts_for_report_and_exit_code(run: Run) -> None:
    Path(".ddplint.yaml").write_text("severity: {DDP204: error, DDP101: note}\n")
    Path("pyproject.toml").unlink()
    write(a="BUG101 = 1\n", b="BUG204 = 1\n")
    ran = run("check", "--fail-on", "error", "--output-format", "json")
    assert [(item["code"], item["severity"]) for item in json.loads(ran.out)] == [
        ("DDP101", "note"),
        ("DDP204", "error"),
    ]
    assert ran.code == 1
    assert run("check", "--fail-on", "warning", "a.py").code == 0


def test_per_file_ignores_hold_for_check_and_fix(run: Run) -> None:
    Path("pyproject.toml").write_text('[tool.ddplint.per-file-ignores]\n"old/" = ["DDP2"]\n')
    write(a="BUG203 = 1\n", old__b="BUG203 = BUG101 = 1\n")
    ran = run("check", "--output-format", "json")
    assert ran.found == [("DDP203", "a.py", 1), ("DDP101", "old/b.py", 1)]
    left = [" ".join(line.split()[1:3]) for line in run("fix").err.splitlines() if line.startswith("left ")]
    assert left == ["a.py:1:1: DDP203", "old/b.py:1:10: DDP101"]


def test_crash_names_the_place(run: Run) -> None:
    write(a="x  # CRASH\n")
    ran = run("check")
    assert "internal error: ZeroDivisionError: division by zero at fake_core.py:" in ran.err
    assert "1 internal error" in ran.out
    assert "Traceback" not in ran.err


def test_rule_crash_leaves_the_rest(run: Run) -> None:
    write(a="RULECRASH = 1\nBUG101 = 1\n")
    ran = run("check", "--output-format", "json")
    assert ran.found == [("DDP101", "a.py", 2)]
    assert "rule DDP203 crashed on a.py: ValueError" in ran.err


def test_interrupt_is_quiet(run: Run) -> None:
    write(a="x  # INTERRUPT\n")
    ran = run("check")
    assert (ran.code, ran.out, ran.err.strip()) == (130, "", "")


def test_no_arguments_shows_help(run: Run) -> None:
    ran = run()
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: ddplint" in ran.err


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["check", "--help"], ["--version"]])
def test_help_and_version(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert "ddplint" in ran.out
    assert "..." not in ran.out.replace("]...", "")


# what is read, what is shown


def test_default_is_the_current_folder(run: Run) -> None:
    write(b="BUG203 = 1\n", p__a="x = 1\nBUG101 = BUG203 = 2\n")
    expected = [("DDP203", "b.py", 1), ("DDP101", "p/a.py", 2), ("DDP203", "p/a.py", 2)]
    assert run("check", "--output-format", "json").found == expected
    assert run("check", "p", "b.py", "--output-format", "json").found == expected


def test_bad_files_are_named_and_the_rest_goes_on(run: Run) -> None:
    write(good="BUG203 = 1\n", two="print 'x'\n", deep="(" * 5000, sub__fine="x = 1\n")
    Path("binary.py").write_bytes(b"\x00\x01")
    Path("odd.py").write_bytes(b"x = '\xe9'\n")
    Path("latin.py").write_bytes(b"# coding: latin-1\nBUG203 = '\xe9'\n")
    Path("big.py").write_text("x = 1\n" * 900_000)
    Path("gone.py").symlink_to("nowhere.py")
    ran = run("check", "--output-format", "json")
    assert ran.code == 1
    assert ran.found == [("DDP203", "good.py", 1), ("DDP203", "latin.py", 2)]
    for line in (
        "skipped two.py: no Python 3",
        "skipped deep.py: ",
        "skipped binary.py: binary (contains NUL bytes)",
        "skipped odd.py: not decodable as utf-8",
        "skipped big.py: larger than 5 MB",
        "skipped gone.py: not found",
    ):
        assert line in ran.err
    text = run("check").out
    assert "2 findings (2 warnings); 3 files read (4 lines), 6 paths skipped (" in text


def test_no_python_files(run: Run) -> None:
    ran = run("check")
    assert ran.code == 0
    assert ran.err == "ddplint: no Python files found\n"


def test_single_file_has_the_project_as_context(run: Run) -> None:
    write(net="x = 1\n", loss="BUG203 = 1  # FROM net.py\n", other="BUG203 = 1\n", broken="(\n")
    Path("pyproject.toml").touch()
    ran = run("check", "net.py", "--output-format", "json")
    assert ran.found == [("DDP203", "loss.py", 1)]
    assert ran.err == "ddplint: skipped 1 other file of the project; -v names them\n"
    assert "skipped broken.py" in run("check", "net.py", "-v").err
    assert "skipped broken.py" in run("check", "broken.py").err


def test_selection_and_configuration(run: Run) -> None:
    write(a="BUG101 = BUG203 = BUG204 = 1\n")
    Path("pyproject.toml").write_text('[tool.ddplint]\nselect = ["DDP2"]\noutput-format = "json"\nfail-on = "error"\n')
    codes = [code for code, _, _ in run("check").found]
    assert codes == ["DDP203", "DDP204"]
    assert run("check").code == 0
    assert [code for code, _, _ in run("check", "--ignore", "double-activation").found] == ["DDP203"]
    assert [code for code, _, _ in run("check", "--extend-select", "DDP101").found] == ["DDP101", "DDP203", "DDP204"]
    assert [code for code, _, _ in run("check", "--select", "DDP101,DDP203").found] == ["DDP101", "DDP203"]
    assert run("check", "--isolated").code == 1


def test_exclude(run: Run) -> None:
    write(a="BUG203 = 1\n", third__b="BUG203 = 1\n")
    Path("pyproject.toml").write_text('[tool.ddplint]\nexclude = ["third"]\noutput-format = "json"\n')
    assert run("check").found == [("DDP203", "a.py", 1)]
    assert run("check", "--exclude", "/a.py").found == [("DDP203", "third/b.py", 1)]


def test_suppression(run: Run) -> None:
    write(
        a="BUG101 = BUG203 = 1  # noqa: DDP203\nBUG203 = 2  # ddplint: ignore[sigmoid-before-bce]\nBUG203 = 3  # noqa\n"
        'BUG203 = "# noqa: DDP203"\nBUG203 = 5  # noqa: E501\n',
    )
    found = run("check", "--output-format", "json").found
    assert found == [("DDP101", "a.py", 1), ("DDP203", "a.py", 4), ("DDP203", "a.py", 5)]
    assert "3 suppressed by comments" in run("check").out


def test_suppressions_are_counted(core: FakeCore) -> None:
    write(a="BUG203 = 2  # ddplint: ignore[DDP2]\nx = 1  # noqa\nBUG203 = 3  # noqa\n")
    result = check(["."], Settings())
    assert (len(result.findings), result.suppressed) == (0, 2)
    assert [(found.span.row, item.row, item.kind, item.blanket) for found, item in result.silenced] == [
        (1, 1, "ignore", False),
        (3, 3, "noqa", True),
    ]


# output


def test_text_output(run: Run) -> None:
    write(a="BUG203 = 1\n")
    assert run("check").out == (
        "a.py:1:1: warning DDP203 sigmoid-before-bce: a bug named sigmoid-before-bce\n"
        "  1 | BUG203 = 1\n"
        "    | ^^^^^^\n"
        "  fix (safe): take it away\n"
        "\n"
        "1 finding (1 warning); 1 file read (1 line).\n"
    )


def test_concise_and_statistics(run: Run) -> None:
    write(a="BUG203 = 1\nBUG203 = BUG101 = 1\n")
    assert run("check", "--output-format", "concise").out.count("\n") == 3
    assert run("check", "--output-format", "concise", "--statistics").out == (
        "2  DDP203  sigmoid-before-bce\n1  DDP101  rank0-evaluation\n"
    )
    ran = run("check", "--output-format", "json", "--statistics")
    assert len(ran.found) == 3
    assert "2  DDP203" in ran.err


def test_colour_by_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a="BUG203 = 1\n")
    assert "\x1b[" not in run("check").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("check").out
    assert "\x1b[" in run("rules").out
    assert "\x1b[" not in run("check", "--output-format", "json").out


def test_verbose(run: Run) -> None:
    write(a="x = 1\n")
    assert "configuration: defaults" in run("check", "-v").err
    assert "from the cache" in run("check", "-v").err


def test_rules(run: Run) -> None:
    assert run("rules").out.splitlines()[1] == "DDP203  sigmoid-before-bce  warning  Reports a bug word."
    rows = json.loads(run("rules", "--output-format", "json").out)
    assert [row["code"] for row in rows] == [rule.code for rule in RULES]
    assert set(rows[0]) == {"code", "name", "severity", "summary", "url", "origin"}


@pytest.mark.parametrize("rule", ["DDP203", "sigmoid-before-bce", "ddp203"])
def test_explain(run: Run, rule: str) -> None:
    out = run("explain", rule).out
    assert out.startswith("# DDP203 sigmoid-before-bce (warning)\n\nReports a bug word.\n")
    assert all(f"## {title}\n" in out for title in SECTIONS)


def test_names_that_do_not_print(run: Run) -> None:
    try:
        Path(os.fsdecode(b"a\xff\x1b.py")).write_text("BUG203 = 1\n")
    except OSError:
        pytest.skip("the file system takes no such names")
    assert run("check").out.startswith("a\\udcff\\x1b.py:1:1: ")
    assert json.loads(run("check", "--output-format", "json").out)[0]["filename"] == "a\udcff\x1b.py"


# the cache


def test_same_output_from_the_cache(run: Run, core: FakeCore) -> None:
    write(a="BUG203 = 1  # FROM b.py\n", b="x = 1\n", c="(")
    first, second, third = run("check"), run("check"), run("check", "--no-cache")
    assert (
        (first.code, first.out, first.err)
        == (second.code, second.out, second.err)
        == (third.code, third.out, third.err)
    )
    assert core.built == 2


@pytest.mark.parametrize("change", ["edit", "new file", "rules", "removed"])
def test_cache_sees_what_changed(run: Run, core: FakeCore, change: str) -> None:
    write(a="BUG203 = 1\n", b="BUG101 = 1\n")
    assert len(run("check", "--output-format", "json").found) == 2
    arguments = []
    if change == "edit":
        write(a="BUG209 = 1\n")
    elif change == "new file":
        write(c="BUG101 = 1\n")
    elif change == "removed":
        Path("b.py").unlink()
    else:
        arguments = ["--select", "DDP1"]
    assert len(run("check", "--output-format", "json", *arguments).found) == (3 if change == "new file" else 1)
    assert core.built == 2


def test_comment_that_suppresses_is_seen(run: Run) -> None:
    write(a="BUG203 = 1\n")
    assert run("check").code == 1
    write(a="BUG203 = 1  # noqa: DDP203\n")
    assert run("check").code == 0


def test_crashes_are_not_remembered(run: Run, core: FakeCore) -> None:
    write(a="x = 1  # CRASH\n")
    assert [run("check").code, run("check").code, core.built] == [2, 2, 2]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"findings": [{}]}', b"\xff", b"null", b"[" * 100_000])
def test_damaged_cache_is_ignored(run: Run, core: FakeCore, damage: bytes) -> None:
    write(a="BUG203 = 1\n")
    expected = run("check").out
    (entry,) = cache_folder().glob("results-*/*.json")
    entry.write_bytes(damage)
    assert run("check").out == expected
    assert core.built == 2
    assert run("check").out == expected
    assert core.built == 2


def test_cache_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a="BUG203 = 1\n")
    monkeypatch.setenv("DDPLINT_CACHE_DIR", "a.py")
    assert run("check").code == 1


def test_no_cache_leaves_nothing(run: Run) -> None:
    write(a="x = 1\n")
    run("check", "--no-cache")
    assert not cache_folder().exists()


def test_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddplint.cache.COUNT_LIMIT", 3)
    cache = ResultCache(tmp_path)
    for number in range(6):
        cache.store(str(number), number)
        time.sleep(0.01)
    assert [cache.load(str(number)) for number in range(6)] == [None, None, None, 3, 4, 5]
    monkeypatch.setattr("ddplint.cache.SIZE_LIMIT", 1)
    cache.store("big", "x" * 100)
    assert [cache.load("5"), cache.load("big")] == [None, "x" * 100]


# as a process


def spawn(arguments: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(FAKE), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_reader_who_has_gone() -> None:
    write(a="BUG203 = 1\n" * 3000)
    process = spawn(["check"])
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk() -> None:
    write(a="BUG203 = 1\n")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, str(FAKE), "check"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_closed_stdout_and_ascii_terminal() -> None:
    write(a="s = 'é数'; BUG203 = 1\n")
    command = f"{sys.executable} {FAKE} check"
    done = subprocess.run(["sh", "-c", f"{command} >&-"], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, env=environment)
    assert done.returncode == 1
    assert rb"s = '\xe9\u6570'" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupt_as_a_process() -> None:
    program = f"import sys; sys.path.insert(0, {str(FAKE.parent)!r}); from fake_core import *\n"
    # a process that was started in the background of a shell inherits that SIGINT is ignored
    program += "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "import ddplint.engine as e, time\ne.find_files = lambda *a, **k: (print(flush=True), time.sleep(60))\n"
    program += "with installed(): sys.exit(main(['check']))"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.strip()) == (130, b"")


def loaded(*arguments: str) -> set[str]:
    """The modules that a run has imported."""
    program = f"import sys; from ddplint.cli import main; main({arguments!r}); print(*sys.modules, file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], check=True, env=environment, capture_output=True, text=True)
    return set(done.stderr.splitlines()[-1].split())


def test_nothing_is_imported_before_a_command_asks_for_it() -> None:
    own = {name for name in loaded("--version") if name.startswith("ddplint.")}
    assert own == {
        *("ddplint.cli", "ddplint.cli.app", "ddplint.cli.output"),
        *("ddplint.problems", "ddplint.report", "ddplint.report.style"),
    }


def test_check_imports_only_what_it_needs() -> None:
    write(a="x = 1\n")
    further = {
        *("ddplint.baseline.matching", "ddplint.fixing", "ddplint.ignores", "ddplint.report.html"),
        *("ddplint.report.json", "ddplint.report.lanes", "ddplint.report.sarif", "ddplint.rewriting"),
        *("ddplint.scaffold", "ddplint.upkeep", "libcst"),
    }
    assert not loaded("check") & further
    # the second time from the cache
    assert not loaded("check") & {*further, "ddplint.flow.analysis", "multiprocessing", "yaml"}


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_progress_only_on_a_terminal_and_only_when_slow() -> None:
    import io

    from ddplint.cli.output import ProgressLine

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    quick, slow, piped = Terminal(), Terminal(), io.StringIO()
    line = ProgressLine(quick, Terminal())
    line.show("files", 1, 10)
    line.clear()
    assert quick.getvalue() == ""
    for stream, output in ((slow, Terminal()), (piped, Terminal()), (quick, io.StringIO())):
        line = ProgressLine(stream, output)
        line._next = 0
        line.show("files", 5, 10)
        line.clear()
    assert "5/10 files" in slow.getvalue()
    assert (piped.getvalue(), quick.getvalue()) == ("", "")


# rules and their documentation


def test_real_rules_are_discovered() -> None:
    rules = discover()
    assert [rule.code for rule in rules] == sorted({rule.code for rule in rules})


def test_two_rules_with_one_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "twins"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in ("a", "b"):
        text = f"from ddplint.rules.base import Rule\nclass R(Rule):\n    code, name = 'DDP999', '{name}'\nRULE = R()\n"
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    import twins  # type: ignore[import-not-found]

    with pytest.raises(RegistryError, match=r"code DDP999 is claimed by twins\.a and twins\.b"):
        discover(twins)


def test_documentation_is_parsed() -> None:
    documentation = RULES[0].documentation
    assert RULES[0].summary == documentation.summary == "Reports a bug word."
    assert tuple(documentation.sections) == SECTIONS
    assert (documentation.example, documentation.instead) == ("BUG = 1\n", "fine = 1\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("## Fix safety\nSafe.\n", "", "no section 'Fix safety'"),
        ("## Not reported", "## Ignored", "no section 'Not reported'; unknown section 'Ignored'"),
        ("```python\nfine", "```\nfine", "section 'Instead' has no"),
        ("Safe.\n", "", "empty section 'Fix safety'"),
        ("Reports a bug word.\n", "", "summary"),
    ],
)
def test_incomplete_documentation(old: str, new: str, expected: str) -> None:
    from fake_core import DOCUMENTATION

    with pytest.raises(DocumentationError, match=expected):
        parse_documentation(DOCUMENTATION.replace(old, new))


def test_headings_inside_code_are_code() -> None:
    from fake_core import DOCUMENTATION

    text = DOCUMENTATION.replace("BUG = 1\n", "## Not a heading\nBUG = 1\n")
    assert parse_documentation(text).example == "## Not a heading\nBUG = 1\n"
