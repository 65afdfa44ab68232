from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from proving import Interpreter, Repairs, need


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--identity-fix",
        action="store_true",
        default=False,
        help="Leave the programs of the proofs as they are instead of repairing them: every proof must fail.",
    )


@pytest.fixture
def repairs(tmp_path: Path, request: pytest.FixtureRequest) -> Repairs:
    # the option is unknown where pytest starts above this folder
    return Repairs(tmp_path, request.config.getoption("identity_fix", default=False))


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """A fresh interpreter."""
    yield from _opened(tmp_path_factory)


@pytest.fixture(scope="session")
def other_interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """A second fresh one, for what must be the same in two runs."""
    yield from _opened(tmp_path_factory)


def _opened(places: pytest.TempPathFactory) -> Iterator[Interpreter]:
    need("torch", "numpy")
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    opened = Interpreter(places.mktemp("runs"))
    yield opened
    opened.close()
