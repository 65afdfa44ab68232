"""The same input gives the same bytes, whatever the processes, the cache, the order of files and the hash seed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fixture_files import FIXTURES

from ddplint.config import Settings
from ddplint.engine import check
from ddplint.facts.build import _FEW
from ddplint.report.json import render_json

# one in so many fixtures of each rule
STEP = 12
PARTS = tuple(sorted(path.name for path in FIXTURES.iterdir() if path.is_dir()))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of many small programs: enough files that several processes share them."""
    folder = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        for path in sorted((FIXTURES / part).iterdir())[::STEP]:
            (folder / part).mkdir(exist_ok=True)
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, folder / part / path.name)
    assert len(list(folder.rglob("*.py"))) > _FEW
    (folder / "pyproject.toml").write_text("", encoding="utf-8")
    return folder


def run(tree: Path, cache: Path, *options: str, paths: tuple[str, ...] = (".",), seed: str = "0") -> bytes:
    environment = {**os.environ, "DDPLINT_CACHE_DIR": str(cache), "PYTHONHASHSEED": seed}
    command = [
        sys.executable,
        "-m",
        "ddplint",
        "check",
        "--isolated",
        "--exit-zero",
        "--output-format",
        "json",
        *options,
        *paths,
    ]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_output_is_byte_identical(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = run(tree, cache, "--no-cache", "--jobs", "1")
    assert first.count(b'"code"') > 10
    assert run(tree, cache, "--jobs", "2", seed="7") == first, "two processes, cold cache, another hash seed"
    assert run(tree, cache, "--jobs", "2") == first, "warm cache"
    assert run(tree, cache, "--no-cache", paths=tuple(reversed(PARTS))) == first, "paths in another order"


def test_unrelated_files_change_nothing(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    shutil.copytree(tree / "DDP101", small / "DDP101")
    monkeypatch.chdir(small)
    alone = render_json(check(["."], Settings(cache=False, jobs=1)))
    for number in range(20):
        (small / f"unrelated_{number}.py").write_text(
            f"def helper_{number}(a, b):\n    return a * b + {number}\n", encoding="utf-8"
        )
    together = render_json(check(["."], Settings(cache=False, jobs=1)))
    assert together == alone
