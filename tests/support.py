"""What tests of the command line share, beside the fixtures of conftest.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema


class Ran(NamedTuple):
    """What a run of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Those of `--output-format json`."""
        found: list[dict[str, Any]] = json.loads(self.out)
        return found

    @property
    def found(self) -> list[tuple[str, str, int]]:
        """Code, file and row of each."""
        return [(item["code"], item["filename"], item["location"]["row"]) for item in self.findings]

    @property
    def rows(self) -> list[tuple[str, int]]:
        """File and row of each."""
        return [(file, row) for _, file, row in self.found]


Run = Callable[..., Ran]


def write(**files: str) -> None:
    """Python files by name below the current folder, `__` for `/`."""
    for name, text in files.items():
        path = Path(name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(*arguments: str, cwd: Path | None = None) -> str:
    """Git's answer, whatever its settings here are."""
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def misfits(value: object, schema: dict[str, Any]) -> list[str]:
    """Where a value does not fit a JSON schema."""
    validator = jsonschema.validators.validator_for(schema)(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def pytest_output(folder: Path) -> str:
    """What pytest prints, in a process of its own, of the tests in a folder; without plugins it starts faster."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stdout
