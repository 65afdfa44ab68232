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
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Interpreter, Interpreter]]:
    """Two fresh interpreters, the second one for what must be the same in two runs. They start when first used."""
    need("torch", "numpy")
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    both = (Interpreter(tmp_path_factory.mktemp("first")), Interpreter(tmp_path_factory.mktemp("second")))
    yield both
    for one in both:
        one.close()


@pytest.fixture
def interpreter(interpreters: tuple[Interpreter, Interpreter]) -> Interpreter:
    return interpreters[0]
