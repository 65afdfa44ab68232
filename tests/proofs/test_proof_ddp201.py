"""DDP201: the dummy term is 0, not nan, where a weight is infinite; nothing else changes, gradients stay in step."""

from __future__ import annotations

import math

import pytest
from proving import Interpreter, Outcome, Repairs, launched, single

pytestmark = pytest.mark.proof


def assert_cured(was: Outcome, now: Outcome) -> None:
    assert math.isnan(was.value["loss"])
    assert now.value["loss"] == now.value["task"]
    # a gradient of zero, not none: the hooks of DistributedDataParallel fire
    assert set(was.value["gradients"]) == set(now.value["gradients"]) == {0.0}


@pytest.mark.parametrize(
    ("name", "probe"),
    [("ddp201_unused_expert", "experts_with_infinity"), ("ddp201_frozen_adapters", "adapters_with_infinity")],
)
def test_unused_modules(name: str, probe: str, repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair(name)
    [was], [now], [trained_before], [trained_after] = interpreter.run(
        *(single(folder, probe) for folder in (before, after)),
        *(single(folder, "script", "train.py") for folder in (before, after)),
    )
    assert_cured(was, now)
    assert trained_before.output == trained_after.output != ""


def test_batches_without_boxes_on_two_processes(repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair("ddp201_images_without_boxes")
    [was], [now], trained_before, trained_after = interpreter.run(
        *(single(folder, "detector_with_infinity") for folder in (before, after)),
        *(launched(folder, "detector_trained") for folder in (before, after)),
    )
    assert_cured(was, now)
    assert trained_before[0].value == trained_before[1].value, "both processes end with the same weights"
    assert {one.value for one in trained_after} == {trained_before[0].value}
