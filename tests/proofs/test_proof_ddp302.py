"""DDP302: two runs in two fresh interpreters validate on the same samples."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest
from proving import Interpreter, Outcome, Repairs, need, single

pytestmark = pytest.mark.proof


def write_shard(path: Path, count: int, seed: int) -> None:
    """A shard as webdataset reads it: samples with a key and a line of text."""
    numbers = random.Random(seed)
    with tarfile.open(path, "w") as shard:
        for key in range(count):
            text = " ".join(f"{numbers.gauss(0, 1):.4f}" for _ in range(4)).encode()
            entry = tarfile.TarInfo(f"{key:04}.txt")
            entry.size = len(text)
            shard.addfile(entry, io.BytesIO(text))


def subsets(outcome: Outcome) -> list[str]:
    """What each epoch was validated on."""
    found = [line for line in outcome.output.splitlines() if line.startswith("validated on ")]
    assert len(found) == 2, outcome.output
    return found


@pytest.mark.parametrize(
    "name",
    [
        "ddp302_limited_validation",
        "ddp302_loader_per_split",
        "ddp302_webdataset_stage",
        "ddp302_webdataset_factory",
    ],
)
def test_the_validation_subset(
    name: str, repairs: Repairs, interpreter: Interpreter, other_interpreter: Interpreter, tmp_path: Path
) -> None:
    arguments = []
    if "webdataset" in name:
        need("webdataset")
        arguments = [str(tmp_path / "train.tar"), str(tmp_path / "val.tar")]
        write_shard(tmp_path / "train.tar", 64, 1)
        write_shard(tmp_path / "val.tar", 48, 2)
    pair = repairs.pair(name)
    groups = [single(folder, "script", "train.py", *arguments) for folder in pair]
    waiting = [one.start(*groups) for one in (interpreter, other_interpreter)]
    ([was], [now]), ([was_again], [now_again]) = (wait() for wait in waiting)
    assert subsets(was) != subsets(was_again), "each run scores another subset before"
    assert subsets(now) == subsets(now_again)
