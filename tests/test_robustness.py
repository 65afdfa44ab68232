"""Any bytes give findings or a clear message; real files of every kind are read without a crash."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddplint.config import Settings
from ddplint.engine import check

FRAGMENTS = [
    "import torch",
    "from torch import nn",
    "x = x",
    "x = [x]",
    "x.append(x)",
    "d = {}",
    "d['a'] = d",
    "class A(A): pass",
    "class B:\n    def __init__(self): self.b = B()\n    def __call__(self, x): return self(x)",
    "def f(x): return f(f)",
    "f(f)",
    "x = f(x)(x)",
    "loss = nn.BCELoss()(torch.sigmoid(x), y)",
    "for x in x: x = x[0]",
    "while x: x = x.next",
    "a, *b = b, a",
    "lambda: (yield)",
    "x = {**x, 'k': [*x]}",
    "if rank == 0:\n    print(metric)",
    "with torch.no_grad() as x: pass",
    "x -= x[:, 0:1]",
    "0 * sum(p.sum() for p in x.parameters())",
    "try:\n    x\nexcept E as e:\n    raise\nfinally:\n    y = 1",
    "from . import x",
    "from x import *",
    "import x.y as z",
    "del x",
    "global g",
    "match x:\n    case [a, *r]: pass\n    case {'k': v, **o}: pass",
    "x = super().__init__(x)",
    "@f\n@f.setter\ndef g(self): return g",
    "torch.utils.data.DataLoader(x, shuffle=True, **x)",
    "getattr(x, 'y')(x)",
    "sum(x, x)",
    "next(iter(x))",
    "x: int = f",
    "assert x, y",
]


def run(folder: Path, content: bytes) -> tuple[int, int]:
    """Findings and skipped files of a project of one file; no error of the tool itself."""
    (folder / "program.py").write_bytes(content)
    result = check([str(folder / "program.py")], Settings(cache=False, jobs=1))
    assert not result.errors
    assert len(result.skipped) + result.files_read == 1
    assert all(reason for _, reason in result.skipped)
    return len(result.findings), len(result.skipped)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    (place / "pyproject.toml").write_text("", encoding="utf-8")
    return place


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
)
def test_any_bytes_are_read_or_named(folder: Path, content: bytes) -> None:
    run(folder, content)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=14), in_function=st.booleans())
def test_odd_programs_end(folder: Path, parts: list[str], in_function: bool) -> None:
    body = "\n".join(parts)
    if in_function:
        body = "def run(x, y, rank):\n    pass\n" + "\n".join(
            f"    {line}" for line in body.splitlines() if "*" not in line or "import" not in line
        )
    run(folder, body.encode())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"print 'two'\n", "Python 3"),
        (b"\x00\x01\x02", "binary"),
        (b"x = '\xff\xfe'\n", "utf-8"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "nested"),
        (b"# coding: no-such-codec\n", "no-such-codec"),
        (b"x = 1\n" * 1_500_000, "MB"),
    ],
    ids=["python 2", "binary", "not utf-8", "deeply nested", "unknown encoding", "gigantic"],
)
def test_unreadable_files_are_named_with_the_reason(folder: Path, content: bytes, reason: str) -> None:
    (folder / "program.py").write_bytes(content)
    result = check([str(folder / "program.py")], Settings(cache=False, jobs=1))
    assert not result.errors
    assert len(result.skipped) == 1
    assert reason.lower() in result.skipped[0][1].lower()


def test_files_of_the_standard_library_are_read() -> None:
    package = Path(sysconfig.get_paths()["stdlib"], "concurrent")
    result = check(
        [str(package), str(package.parent / "asyncio"), str(package.parent / "email")], Settings(cache=False, jobs=1)
    )
    assert not result.errors
    assert not result.skipped
    assert result.files_read > 40
