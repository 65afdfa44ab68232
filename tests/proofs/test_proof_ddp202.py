"""DDP202: the gradient does not depend on the batch size, nor on how many processes share the batch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from proving import Interpreter, Job, Outcome, Repairs, launched, single

pytestmark = pytest.mark.proof

# the samples are nearly alike, so that the gradient's norm hardly depends on which of them a batch holds
ALIKE = 0.05


def first_step(outcome: Outcome) -> tuple[float, float]:
    """Loss and gradient norm before the first update."""
    found = re.search(r"step 0: loss ([\d.]+), gradient norm ([\d.]+)", outcome.output)
    assert found, outcome.output
    return float(found[1]), float(found[2])


def layouts(folder: Path) -> list[list[Job]]:
    """One process with batches of 8, one with 16, two with 8 each."""
    return [
        single(folder, "script", "train.py", "--batch-size", "8"),
        single(folder, "script", "train.py", "--batch-size", "16"),
        launched(folder, "script", "train.py", "--batch-size", "8"),
    ]


@pytest.mark.parametrize(
    ("name", "count"), [("ddp202_hand_keypoints", 1), ("ddp202_reduction_sum", 1), ("ddp202_loss_terms", 2)]
)
def test_gradient_norm(name: str, count: int, repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair(name, count)
    outcomes = interpreter.run(*layouts(before), *layouts(after))
    was, now = outcomes[:3], outcomes[3:]

    small, large, shared = (first_step(outcome[0])[1] for outcome in was)
    assert large == pytest.approx(2 * small, rel=ALIKE), "twice the batch, twice the gradient"
    assert large == pytest.approx(2 * shared, rel=ALIKE), "the same batch on two processes, half the gradient"

    small, large, shared = (first_step(outcome[0])[1] for outcome in now)
    assert small == pytest.approx(large, rel=ALIKE)
    assert shared == pytest.approx(large, rel=ALIKE)

    for number, size in enumerate((8, 16)):
        for summed, divided in zip(first_step(was[number][0]), first_step(now[number][0])):
            assert summed == pytest.approx(size * divided, rel=1e-4), "divided by the batch size and nothing else"
