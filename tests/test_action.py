"""The GitHub action and the CI snippets: what the documentation says, and the shell steps as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = [step for step in STEPS if "run" in step]

needs_bash = pytest.mark.skipif(os.name != "posix" or shutil.which("bash") is None, reason="needs bash")

BUG = """\
import torch
from torch import nn

net = nn.Linear(8, 1)
criterion = nn.BCELoss()
for x, y in torch.load("batches.pt"):
    criterion(torch.sigmoid(net(x)), y).backward()
"""


def table(head: str) -> dict[str, list[str]]:
    """The rows of the table with this head, by first cell."""
    rows = PAGE.partition(head)[2].partition("\n\n")[0].split("\n")[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0].strip("`"): row[1:] for row in cells}


def block(start: str) -> str:
    """The indented block of the page that begins with a line."""
    lines = PAGE[PAGE.index(f"    {start}") :].split("\n")
    end = next((number for number, line in enumerate(lines) if line and not line.startswith("    ")), len(lines))
    return "\n".join(line[4:] for line in lines[:end])


def test_inputs_are_those_documented() -> None:
    documented = table("| input | default | meaning |")
    assert list(documented) == list(ACTION["inputs"])
    for name, told in ACTION["inputs"].items():
        default, meaning = documented[name]
        assert default.strip("`") == told["default"]
        assert meaning.lower().replace("`", "") == told["description"].lower().replace("`", "")


def test_outputs_are_those_documented() -> None:
    documented = table("| output | meaning |")
    assert {name: told["description"].lower() for name, told in ACTION["outputs"].items()} == {
        name: meaning.lower() for name, (meaning,) in documented.items()
    }


def test_nothing_is_put_into_shell_text() -> None:
    assert len(SCRIPTS) == 3
    for step in SCRIPTS:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_every_input_is_used_and_every_reference_exists() -> None:
    text = json.dumps(ACTION["runs"])
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    known = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"steps\.([\w-]+)\.", json.dumps(ACTION))) == known


def test_example_uses_known_inputs() -> None:
    (job,) = yaml.safe_load(block("jobs:"))["jobs"].values()
    step = job["steps"][-1]
    assert step["uses"].startswith("ddplint/ddplint@")
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert job["permissions"]["security-events"] == "write"


class Runner:
    """Runs the shell steps as GitHub does, in a checked-out project."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.scratch = folder / "scratch"
        for path in (self.workspace, self.scratch):
            path.mkdir()
        (self.workspace / "pyproject.toml").touch()
        self.outputs: dict[str, str] = {}
        self.python = sys.executable

    def install_self(self) -> None:
        """Put the ddplint of this interpreter where the action would install one."""
        program = self.scratch / "ddplint-venv" / "bin" / "ddplint"
        program.parent.mkdir(parents=True)
        code = "import sys; from ddplint.cli import main; sys.exit(main(sys.argv[1:]))"
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -c '{code}' \"$@\"\n")
        program.chmod(0o755)

    def step(self, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        (step,) = (one for one in SCRIPTS if one["name"] == name)
        values = {f"inputs.{key}": told["default"] for key, told in ACTION["inputs"].items()}
        values |= {f"inputs.{key.replace('_', '-')}": value for key, value in inputs.items()}
        values |= {f"steps.check.outputs.{key}": value for key, value in self.outputs.items()}
        values |= {"github.action_path": str(ROOT), "runner.temp": str(self.scratch)}
        values["steps.python.outputs.python-path"] = self.python
        told = {key: re.sub(r"\$\{\{ (\S+) \}\}", lambda at: values[at[1]], text) for key, text in step["env"].items()}
        results = self.scratch / "outputs"
        results.touch()
        script = self.scratch / "step.sh"
        script.write_text(step["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env={**os.environ, **told, "GITHUB_OUTPUT": str(results), "GITHUB_WORKSPACE": str(self.workspace)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.outputs.update(line.split("=", 1) for line in results.read_text().splitlines())
        return done


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    return Runner(tmp_path)


@needs_bash
@pytest.mark.parametrize(
    ("text", "inputs", "code", "judged"),
    [
        pytest.param("x = 1\n", {}, "0", 0, id="clean"),
        pytest.param(BUG, {}, "1", 1, id="bug"),
        pytest.param(BUG, {"fail": "false"}, "1", 0, id="bug, may pass"),
        pytest.param(BUG, {"args": "--ignore  DDP203\n--no-cache"}, "0", 0, id="options"),
        pytest.param(BUG, {"args": "--frobnicate", "fail": "false"}, "2", 2, id="bad options"),
        pytest.param(BUG, {"paths": "--help"}, "2", 2, id="a path is no option"),
    ],
)
def test_what_a_run_says(runner: Runner, text: str, inputs: dict[str, str], code: str, judged: int) -> None:
    runner.install_self()
    (runner.workspace / "train.py").write_text(text)
    done = runner.step("Run ddplint", **inputs)
    assert done.returncode == 0, done.stderr
    assert runner.outputs == {"exit-code": code}
    assert ("::warning" in done.stdout) is (code == "1")
    assert runner.step("Judge the result", **inputs).returncode == judged


@needs_bash
def test_report_for_code_scanning(runner: Runner) -> None:
    runner.install_self()
    (runner.workspace / "train.py").write_text(BUG)
    assert runner.step("Run ddplint", sarif="true").returncode == 0
    report = json.loads(Path(runner.outputs["sarif-file"]).read_text(encoding="utf-8"))
    (result,) = report["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "train.py"
    assert runner.outputs["exit-code"] == "1"


@needs_bash
def test_no_report_of_a_run_that_failed(runner: Runner) -> None:
    runner.install_self()
    assert runner.step("Run ddplint", sarif="true", paths="absent").returncode == 0
    assert runner.outputs == {"exit-code": "2"}


@needs_bash
def test_inputs_are_never_code(runner: Runner) -> None:
    runner.install_self()
    evil = "$(touch owned) `touch owned`; touch owned"
    (runner.workspace / evil).mkdir()
    (runner.workspace / evil / "train.py").write_text(BUG)
    done = runner.step("Run ddplint", paths=f"{evil}\n", args="--exclude *;touch$IFS-owned")
    assert "sigmoid" in done.stdout
    for version in ("1; touch owned", "1 --index-url=x", "-r x", "@ git+https://example.org"):
        assert runner.step("Install ddplint", version=version).returncode == 2
    assert {path.name for path in runner.workspace.iterdir()} == {"pyproject.toml", evil}


@needs_bash
def test_several_paths_with_spaces(runner: Runner) -> None:
    runner.install_self()
    for name in ("one part", "two", "three"):
        (runner.workspace / name).mkdir()
        (runner.workspace / name / "train.py").write_text(BUG)
    done = runner.step("Run ddplint", paths="one part\n\ntwo\n")
    assert "file=one part/train.py" in done.stdout
    assert "file=two/train.py" in done.stdout
    assert "three" not in done.stdout


@needs_bash
@pytest.mark.parametrize(("version", "package"), [("", str(ROOT)), ("0.1.0", "ddplint==0.1.0")])
def test_what_is_installed(runner: Runner, tmp_path: Path, version: str, package: str) -> None:
    calls = tmp_path / "calls"
    python = tmp_path / "python"
    # stands for Python: notes its arguments, and `venv` copies it
    python.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{calls}"\n'
        'if [ "$3" = venv ]; then mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; fi\n'
    )
    python.chmod(0o755)
    runner.python = str(python)
    assert runner.step("Install ddplint", version=version).returncode == 0
    assert calls.read_text().splitlines() == [
        f"-I -m venv {runner.scratch}/ddplint-venv",
        f"-I -m pip install --quiet --disable-pip-version-check {package}",
    ]


@needs_bash
@pytest.mark.skipif("DDPLINT_TEST_INSTALL" not in os.environ, reason="takes a minute; DDPLINT_TEST_INSTALL=1 runs it")
def test_installed_and_run(runner: Runner) -> None:
    for name in ("pip.py", "venv.py", "click.py", "ddplint.py"):
        (runner.workspace / name).write_text("raise SystemExit('imported')\n")
    (runner.workspace / "train.py").write_text(BUG)
    done = runner.step("Install ddplint")
    if re.search("No matching distribution|Connection|name resolution", done.stderr):
        pytest.skip("packages cannot be installed here")
    assert done.returncode == 0, done.stderr
    done = runner.step("Run ddplint")
    assert "file=train.py" in done.stdout, done.stderr


@needs_bash
def test_gitlab_snippet(runner: Runner) -> None:
    runner.install_self()
    (job,) = yaml.safe_load(block("ddplint:\n      image")).values()
    install, run = job["script"]
    assert re.fullmatch(r"pip install ddplint==\d+\.\d+\.\d+", install)
    (runner.workspace / "train.py").write_text(BUG)
    path = f"{runner.scratch}/ddplint-venv/bin{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", run], cwd=runner.workspace, env={**os.environ, "PATH": path}, check=False)
    assert done.returncode == 1
    report = runner.workspace / job["artifacts"]["reports"]["codequality"]
    assert [entry["location"]["path"] for entry in json.loads(report.read_text(encoding="utf-8"))] == ["train.py"]
    assert job["artifacts"]["when"] == "always"
