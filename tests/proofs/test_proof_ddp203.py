"""DDP203: a saturated logit still has a gradient, and elsewhere the loss is what it was."""

from __future__ import annotations

import re

import pytest
from proving import Interpreter, Outcome, Repairs, single

pytestmark = pytest.mark.proof

MODERATE = [-9.5, -5.0, -1.0, 0.0, 0.5, 3.0, 9.5]
SATURATED = [20.0, 60.0]


def printed(outcome: Outcome) -> list[float]:
    return [float(number) for number in re.findall(r"\d+\.\d+", outcome.output)]


@pytest.mark.parametrize(
    ("name", "probe"),
    [
        ("ddp203_segmentation_model", "segmentation_at"),
        ("ddp203_discriminator", "discriminator_at"),
        ("ddp203_weighted_relations", "relations_at"),
    ],
)
def test_gradient_at_the_logit(name: str, probe: str, repairs: Repairs, interpreter: Interpreter) -> None:
    pair = repairs.pair(name)
    [was], [now], [was_at_one], [now_at_one], [output_before], [output_after] = interpreter.run(
        *(single(folder, probe, MODERATE + SATURATED, 0.0) for folder in pair),
        *(single(folder, probe, MODERATE, 1.0) for folder in pair),
        *(single(folder, "script", "train.py") for folder in pair),
    )
    count = len(MODERATE)
    for logit, summed, fused in zip(SATURATED, was.value[count:], now.value[count:]):
        assert summed == [100.0, 0.0], "a confident mistake has loss 100 and no gradient before"
        assert fused == pytest.approx([logit, 1.0], rel=1e-5)

    for one, other in zip(was.value[:count] + was_at_one.value, now.value[:count] + now_at_one.value):
        # near 9.5 the sigmoid itself is only good to three digits
        assert one == pytest.approx(other, rel=2e-3, abs=1e-6)

    assert printed(output_before) == pytest.approx(printed(output_after), abs=2e-3), "the program prints what it did"
