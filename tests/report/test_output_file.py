"""`--output-file`, and that stdout holds the chosen format and nothing else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_core import FakeCore
from support import Ran, Run

from ddplint.cli import main
from ddplint.config import OUTPUT_FORMATS
from ddplint.report.formats import FORMATS
from ddplint.report.output import write_report

MACHINE = [name for name in OUTPUT_FORMATS if name not in ("text", "concise")]


@pytest.fixture
def run(project: Path, core: FakeCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    (project / "a b.py").write_text("BUG203 = '<数据>%'\n", encoding="utf-8")
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Ran:
        code = main(["check", *arguments])
        return Ran(code, *capfd.readouterr())

    return call


def parse(name: str, text: str) -> object:
    if name == "junit":
        return ElementTree.fromstring(text.encode())
    if name == "html":
        assert text.startswith("<!DOCTYPE html>") and text.endswith("</html>\n")
        return text
    if name == "json-lines":
        return [json.loads(line) for line in text.splitlines()]
    if name == "github":
        assert all(line.startswith("::") for line in text.splitlines())
        return text
    return json.loads(text)


def test_every_format_is_there() -> None:
    assert tuple(FORMATS) == OUTPUT_FORMATS


@pytest.mark.parametrize("name", MACHINE)
@pytest.mark.parametrize("text", ["BUG203 = 1\n", "x = 1\n", "def broken(:\n", "RULECRASH = 1\n"])
def test_stdout_is_that_format_and_nothing_else(run: Run, name: str, text: str) -> None:
    Path("more.py").write_text(text)
    ran = run("--output-format", name, "--statistics")
    parse(name, ran.out)
    assert ("1  DDP203  sigmoid-before-bce\n" in ran.err) or ("2  DDP203  sigmoid-before-bce\n" in ran.err)


@pytest.mark.parametrize("name", OUTPUT_FORMATS)
def test_file_instead_of_stdout(run: Run, name: str) -> None:
    printed = run("--output-format", name)
    ran = run("--output-format", name, "--output-file", "report.out")
    assert (ran.code, ran.out) == (1, "")
    assert "1 finding (1 warning); 1 file read" in ran.err
    written = Path("report.out").read_text(encoding="utf-8")
    assert written and printed.out.startswith(written)
    assert sorted(os.listdir()) == ["a b.py", "pyproject.toml", "report.out"]


def test_nothing_found_is_a_report_too(run: Run) -> None:
    Path("a b.py").write_text("x = 1\n")
    Path("report.json").write_text("old")
    ran = run("--output-format", "json", "--output-file", "report.json")
    assert (ran.code, Path("report.json").read_text()) == (0, "[]\n")


def test_key_and_dash(run: Run) -> None:
    Path("pyproject.toml").write_text('[tool.ddplint]\noutput-format = "gitlab"\noutput-file = "out/quality.json"\n')
    Path("out").mkdir()
    assert run().out == ""
    assert json.loads(Path("out/quality.json").read_text())[0]["location"]["path"] == "a b.py"
    Path("out/quality.json").unlink()
    assert json.loads(run("--output-file", "-").out)[0]["check_name"] == "DDP203"
    assert not Path("out/quality.json").exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"../report.json"', "must be a path in the folder of the configuration, not `'../report.json'`"),
        ('"/tmp/report.json"', "must be a path in the folder of the configuration, not `'/tmp/report.json'`"),
        ('"link/report.json"', "must be a path in the folder of the configuration, not `'link/report.json'`"),
        ("3", "`output-file` must be a path, not `3`"),
        ('""', "`output-file` must be a path, not `''`"),
    ],
)
def test_a_repository_writes_nowhere_else(run: Run, tmp_path: Path, value: str, expected: str) -> None:
    Path("link").symlink_to(tmp_path)
    Path("pyproject.toml").write_text(f"[tool.ddplint]\noutput-file = {value}\n")
    ran = run()
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert expected in ran.err


@pytest.mark.parametrize(
    ("target", "expected"),
    [("none/report.json", "no such folder: none"), (".", "it is a folder"), ("", "it is a folder")],
)
def test_bad_target_is_one_line_before_anything_is_read(run: Run, target: str, expected: str) -> None:
    ran = run("--output-file", target)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert expected in ran.err


def test_failed_write_leaves_the_old_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("report.json").write_text("old")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("ddplint.report.output.os.replace", full)
    ran = run("--output-file", "report.json")
    assert (ran.code, Path("report.json").read_text()) == (2, "old")
    assert "No space left on device" in ran.err
    assert sorted(os.listdir()) == ["a b.py", "pyproject.toml", "report.json"]


def test_mode_and_links_stay(tmp_path: Path) -> None:
    target = tmp_path / "report.txt"
    target.write_text("old")
    target.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_report(link, "new \udcff\n")
    assert (target.read_text(), link.is_symlink()) == ("new \\udcff\n", True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_devices_are_written_as_they_are(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_report(fifo, "report\n")
        assert os.read(reader, 100) == b"report\n"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
