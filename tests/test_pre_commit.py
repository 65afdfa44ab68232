"""The hooks under the real pre-commit program, in a project under Git."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
CONFIG = ".pre-commit-config.yaml"

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed"),
    pytest.mark.skipif(shutil.which("git") is None, reason="Git is not installed"),
]

MODEL = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 1)

    def forward(self, x):
        return self.layer(x)
"""
SIGMOID_MODEL = MODEL.replace("return self.layer(x)", "return torch.sigmoid(self.layer(x))")
TRAIN = """\
import torch
from torch import nn
from model import Net

net = Net()
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x, y in torch.load("batches.pt"):
    loss = criterion(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
BUG = TRAIN.replace("net(x)", "torch.sigmoid(net(x))").replace("from model import Net\n", "").replace(
    "Net()", "nn.Linear(8, 1)"
)  # fmt: skip
CLEAN = BUG.replace("BCELoss", "BCEWithLogitsLoss").replace("torch.sigmoid(net(x))", "net(x)")


def hook(identity: str, **changes: Any) -> dict[str, Any]:
    """A hook as it is published, but run by this very interpreter instead of in an environment of its own."""
    (found,) = (one for one in HOOKS if one["id"] == identity)
    program, *arguments = shlex.split(found["entry"])
    assert program == "ddplint"
    entry = shlex.join([Path(sys.executable).as_posix(), "-m", "ddplint", *arguments])
    return {**found, "language": "system", "entry": entry, **changes}


class Project:
    """A project under Git with pre-commit installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set_up(self, *hooks: dict[str, Any], **source: str) -> Project:
        """Make the folder such a project."""
        self.folder.mkdir()
        self.git("init", "--quiet")
        repository = {"repo": "local", **source, "hooks": list(hooks)}
        (self.folder / CONFIG).write_text(yaml.safe_dump({"repos": [repository]}))
        self.git("add", CONFIG)
        self.git("commit", "--quiet", "-m", "start")
        self.pre_commit("install")
        return self

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pre_commit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def stage(self, files: dict[str, str]) -> None:
        self.write(files)
        self.git("add", "--", *files)

    def commit(self, skip: bool = False) -> tuple[bool, str]:
        """Whether Git made the commit, and what was printed."""
        head = self.git("rev-parse", "HEAD")
        command = ["git", "commit", "--quiet", "-m", "change", *(["--no-verify"] if skip else [])]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        made = self.git("rev-parse", "HEAD") != head
        assert made is (done.returncode == 0)
        return made, done.stdout + done.stderr


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    own = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GIT_", "PRE_COMMIT"))]:
            patch.delenv(name)
        for name in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{name}_NAME", "tester")
            patch.setenv(f"GIT_{name}_EMAIL", "tester@example.org")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("PRE_COMMIT_HOME", str(own / "pre-commit"))
        patch.setenv("PRE_COMMIT_COLOR", "never")
        patch.setenv("DDPLINT_CACHE_DIR", str(own / "cache"))
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the hook, to be copied: installing takes longer than most of what is tried with it."""
    return Project(tmp_path_factory.mktemp("template") / "project").set_up(hook("ddplint")).folder


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Project:
    shutil.copytree(template, tmp_path / "project")
    return Project(tmp_path / "project")


def test_clean_commit(project: Project) -> None:
    project.stage({"train.py": CLEAN})
    made, output = project.commit()
    assert made
    assert "ddplint" in output and "Passed" in output


def test_commit_with_a_bug_is_rejected_with_a_readable_message(project: Project) -> None:
    project.stage({"train.py": BUG, "README.md": "A program.\n"})
    made, output = project.commit()
    assert not made
    assert "- hook id: ddplint\n- exit code: 1\n" in output
    assert "train.py:8:12: warning DDP203 sigmoid-before-bce: a sigmoid's output is handed to `BCELoss`" in output
    assert "  8 |     loss = criterion(torch.sigmoid(net(x)), y)\n" in output
    assert "  fix (safe): hand the logits to `BCEWithLogitsLoss`\n" in output
    assert "Traceback" not in output


def test_fix_changes_the_file_and_stops_the_commit(tmp_path: Path) -> None:
    project = Project(tmp_path / "project").set_up(hook("ddplint-fix"), hook("ddplint"))
    project.stage({"train.py": BUG})
    made, output = project.commit()
    assert not made
    assert "- hook id: ddplint-fix\n- files were modified by this hook\n" in output
    assert "fixed train.py:" in output
    assert (project.folder / "train.py").read_text() == CLEAN
    assert project.git("show", ":train.py") == BUG
    project.git("add", "train.py")
    assert project.commit()[0]


def test_fix_hook_reports_what_it_leaves(tmp_path: Path) -> None:
    project = Project(tmp_path / "project").set_up(hook("ddplint-fix"))
    # only the sigmoid of a module that others may call can be taken out: unsafe
    project.stage({"model.py": SIGMOID_MODEL, "train.py": TRAIN})
    made, output = project.commit()
    assert not made
    assert "left train.py:9:12: DDP203 sigmoid-before-bce: its fix is unsafe" in output
    assert "files were modified" not in output


def test_nothing_to_check(project: Project) -> None:
    project.write({"train.py": BUG})
    project.stage(dict.fromkeys(("README.md", "stub.pyi", "data.json"), "1\n"))
    made, output = project.commit()
    assert made
    assert "(no files to check)" in output and "Skipped" in output


def test_deleted_file(project: Project) -> None:
    project.stage({"train.py": BUG})
    assert project.commit(skip=True)[0]
    project.git("rm", "--quiet", "train.py")
    assert project.commit()[0]


def test_several_files_are_one_run(project: Project) -> None:
    names = [f"part{number}/train.py" for number in range(12)]
    project.stage({name: BUG if number % 4 == 0 else CLEAN for number, name in enumerate(names)})
    made, output = project.commit()
    assert not made
    reported = [name for name in names if f"{name}:8:12: warning DDP203" in output]
    assert reported == names[::4]
    assert output.count("3 findings (3 warnings); 12 files read") == 1


def test_trace_into_a_file_that_is_not_staged(project: Project) -> None:
    project.stage({"model.py": MODEL, "train.py": TRAIN})
    assert project.commit()[0]
    project.stage({"model.py": SIGMOID_MODEL})
    made, output = project.commit()
    assert not made
    assert "train.py:9:12: warning DDP203" in output
    assert "1. model.py:11:16: " in output


def test_bug_elsewhere_does_not_stop_a_commit(project: Project) -> None:
    project.stage({"train.py": BUG})
    assert project.commit(skip=True)[0]
    project.stage({"other.py": CLEAN})
    assert project.commit()[0]


def test_what_is_not_staged_does_not_count(project: Project) -> None:
    project.stage({"train.py": CLEAN})
    project.write({"train.py": BUG})
    assert project.commit()[0]
    assert (project.folder / "train.py").read_text() == BUG


def test_notebook(project: Project) -> None:
    cells = [{"cell_type": "code", "metadata": {}, "source": text} for text in ("!nvidia-smi", BUG)]
    project.stage({"train.ipynb": json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})})
    made, output = project.commit()
    assert not made
    assert "train.ipynb:cell 2:8:12: warning DDP203" in output


def test_excluded_files_stay_excluded(project: Project) -> None:
    project.stage({"pyproject.toml": "[tool.ddplint]\nexclude = ['third_party/']\n", "third_party/train.py": BUG})
    assert project.commit()[0]


def test_arguments_of_the_configuration(tmp_path: Path) -> None:
    project = Project(tmp_path / "project").set_up(hook("ddplint", args=["--ignore", "DDP203"]))
    project.stage({"train.py": BUG})
    assert project.commit()[0]


def test_bad_configuration_is_one_line(project: Project) -> None:
    project.stage({"pyproject.toml": "[tool.ddplint]\nselekt = []\n", "train.py": CLEAN})
    made, output = project.commit()
    assert not made
    assert "- exit code: 2\n" in output
    assert output.count("ddplint: error: ") == 1


def test_all_files(project: Project) -> None:
    project.stage({"a.py": BUG, "b.py": CLEAN, "c.md": "x\n"})
    done = project.pre_commit("run", "--all-files")
    assert done.returncode == 1
    assert "a.py:8:12: warning DDP203" in done.stdout


@pytest.mark.skipif("DDPLINT_TEST_INSTALL" not in os.environ, reason="takes a minute; DDPLINT_TEST_INSTALL=1 runs it")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_installed_from_this_repository(tmp_path: Path) -> None:
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    published = [{"id": "ddplint-fix"}, {"id": "ddplint"}]
    project = Project(tmp_path / "project").set_up(*published, repo=str(ROOT), rev=revision.stdout.strip())
    done = project.pre_commit("install-hooks")
    if done.returncode != 0 and re.search("No matching distribution|Connection|name resolution", done.stdout):
        pytest.skip("packages cannot be installed here")
    assert done.returncode == 0, done.stdout
    project.stage({"train.py": BUG})
    made, output = project.commit()
    assert not made
    assert "fixed train.py:" in output
    project.git("add", "train.py")
    assert project.commit()[0]


def test_hooks_are_valid_for_pre_commit() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")], check=False
    )
    assert done.returncode == 0
    # findings depend on all given files together
    assert all(one["require_serial"] for one in HOOKS)


def test_documented_as_published() -> None:
    page = (ROOT / "docs" / "pre-commit.md").read_text(encoding="utf-8")
    for one in HOOKS:
        assert f"`{one['id']}`" in page
        assert f"`{one['entry']}`" in page
