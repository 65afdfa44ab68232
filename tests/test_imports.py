"""Which file of a program an import means."""

from __future__ import annotations

import pytest

from ddplint.facts.build import FileFacts
from ddplint.program.program import Module, Package, Program

LIBRARIES = frozenset({"torch", "numpy"})


def resolved(paths: list[str], importer: str, dotted: str, level: int = 0) -> str | None:
    """The path of the file or folder that an import in `importer` finds among files of these paths."""
    program = Program([FileFacts(path, b"", "") for path in [importer, *paths]], LIBRARIES)
    found = program.resolve(next(one for one in program.modules if one.path == importer), dotted, level)
    if isinstance(found, Module):
        return found.path
    return found.folder if isinstance(found, Package) else None


@pytest.mark.parametrize(
    ("paths", "importer"),
    [
        (["utils/__init__.py", "utils/torch.py"], "train.py"),
        (["utils/torch.py"], "train.py"),
        (["utils/torch.py"], "utils/tools.py"),
        (["utils/__init__.py"], "utils/torch.py"),
        (["examples/torch/train.py"], "examples/torch/model.py"),
        (["backends/__init__.py", "backends/torch/__init__.py"], "backends/run.py"),
        (["tests/validators/torch/__init__.py"], "src/kit/loss.py"),
    ],
)
def test_nested_file_is_not_the_library_of_its_name(paths: list[str], importer: str) -> None:
    assert resolved(paths, importer, "torch") is None


@pytest.mark.parametrize(
    ("path", "importer"),
    [
        ("torch.py", "train.py"),
        ("torch/__init__.py", "torch/nn/modules.py"),
        ("src/torch/__init__.py", "tools/check.py"),
        ("third_party/torch/__init__.py", "third_party/torch/nn.py"),
    ],
)
def test_source_of_a_library_is_found(path: str, importer: str) -> None:
    assert resolved([path], importer, "torch") == path


@pytest.mark.parametrize(
    ("path", "importer", "dotted"),
    [
        ("losses.py", "models/net.py", "losses"),
        ("src/kit/losses.py", "tools/train.py", "kit.losses"),
        ("tools/losses.py", "tools/train.py", "losses"),
        ("lib/losses.py", "tools/train.py", "losses"),
        ("lib/datasets.py", "tools/train.py", "datasets"),
    ],
)
def test_file_is_found_on_a_root(path: str, importer: str, dotted: str) -> None:
    assert resolved([path], importer, dotted) == path


def test_file_does_not_import_itself() -> None:
    assert resolved([], "utils/einops.py", "einops") is None
    assert resolved(["kit/data.py"], "kit/kit.py", "kit") == "kit"


def test_package_may_name_itself() -> None:
    assert resolved(["kit/__init__.py"], "kit/__init__.py", "kit") == "kit/__init__.py"


def test_relative_import_finds_a_file_of_any_name() -> None:
    assert resolved(["utils/torch.py"], "utils/__init__.py", "torch", level=1) == "utils/torch.py"
