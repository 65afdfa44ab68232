"""DDP301: without the second centring every bit is the same, and there is less to subtract."""

from __future__ import annotations

import pytest
from proving import Interpreter, Repairs, single

pytestmark = pytest.mark.proof


@pytest.mark.parametrize(
    ("name", "steps"), [("ddp301_dataset_and_loss", 6), ("ddp301_helper_twice", 10), ("ddp301_training_loop", 6)]
)
def test_training_is_the_same_to_the_bit(name: str, steps: int, repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair(name)
    [was], [now] = interpreter.run(*(single(folder, "trained_with_subtractions") for folder in (before, after)))
    (weights_before, subtractions_before), (weights_after, subtractions_after) = was.value, now.value
    assert was.output.count("loss") == steps
    assert was.output == now.output, "the losses, as hexadecimal numbers"
    assert weights_before == weights_after
    assert subtractions_after == subtractions_before - steps, "one subtraction less in every step"
