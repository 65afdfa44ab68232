"""What holds for all tests, and the fixtures that many of them use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from fake_core import FakeCore, installed
from support import Ran, Run
from toy_core import TOYS, ToyCore

from ddplint.cli import main


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The configuration of whoever runs the tests does not count in them."""
    folder = tmp_path_factory.mktemp("user") / "ddplint"
    with (
        mock.patch.dict("os.environ", {"DDPLINT_RULE_PATHS": ""}),
        mock.patch("ddplint.config.user.user_file", lambda: Path(folder) / "ddplint.toml"),
    ):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current folder, a cache of its own, no colours from outside."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def core() -> Iterator[FakeCore]:
    """The analysis that reports words."""
    with installed() as fake:
        yield fake


@pytest.fixture
def toy() -> Iterator[ToyCore]:
    """The analysis whose findings have fixes."""
    toy = ToyCore()
    with installed(toy, TOYS):
        yield toy


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line, in this process."""

    def call(*arguments: str) -> Ran:
        code = main(arguments)
        return Ran(code, *capsys.readouterr())

    return call
