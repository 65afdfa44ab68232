"""DDP101: the number that is printed covers every sample of the validation data, once."""

from __future__ import annotations

import re

import pytest
from proving import Interpreter, Outcome, Repairs, launched, need, single

pytestmark = pytest.mark.proof


def numbers(outcome: Outcome, pattern: str) -> list[float]:
    """The numbers in the last line of a process's output that matches."""
    found = re.findall(pattern, outcome.output)
    assert found, outcome.output
    return [float(number) for number in found[-1]]


@pytest.mark.parametrize("samples", [60, 61], ids=["even", "padded"])
def test_accuracy_from_counts(samples: int, repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair("ddp101_accuracy_on_rank0")
    was, now = interpreter.run(
        *(launched(folder, "script", "train.py", "--samples", str(samples)) for folder in (before, after))
    )
    pattern = r"(\d+) of (\d+) correct, accuracy ([\d.]+)"
    [[truth]] = interpreter.run(single(before, "classifier_truth", samples))
    right, right_of_first = truth.value

    counted, total, accuracy = numbers(was[0], pattern)
    assert total == pytest.approx(samples / 2, abs=0.5), "half of the samples are evaluated before"
    assert counted == right_of_first
    assert accuracy != pytest.approx(right / samples, abs=0.01)

    counted, total, accuracy = numbers(now[0], pattern)
    padding = samples % 2
    assert samples <= total <= samples + padding, "all samples are evaluated after"
    assert right <= counted <= right + padding
    assert accuracy == pytest.approx(right / samples, abs=padding / samples + 1e-6)


def test_poses_in_the_order_of_the_clip(repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair("ddp101_pose_evaluator")
    was, now = interpreter.run(*(launched(folder, "script", "train.py") for folder in (before, after)))
    [[truth]] = interpreter.run(single(before, "poses_truth"))
    position, acceleration = truth.value
    pattern = r"(\d+) frames, position ([\d.]+) mm, acceleration ([\d.]+) mm"

    frames, position_before, acceleration_before = numbers(was[0], pattern)
    assert frames == 26, "the first of two processes has 26 of 51 frames"
    assert position_before != pytest.approx(position, rel=1e-3)
    assert acceleration_before != pytest.approx(acceleration, rel=0.1)

    frames, position_after, acceleration_after = numbers(now[0], pattern)
    assert frames == 51, "every frame once, without the sampler's padding"
    assert position_after == pytest.approx(position, rel=1e-5)
    assert acceleration_after == pytest.approx(acceleration, rel=1e-4), "the frames are in the order of the clip"


@pytest.mark.parametrize("ranks", [2, 3])
def test_collected_scores_in_the_order_of_the_data(ranks: int, repairs: Repairs, interpreter: Interpreter) -> None:
    before, after = repairs.pair("ddp101_collected_scores")
    was, now = interpreter.run(*(launched(folder, "script", "train.py", ranks=ranks) for folder in (before, after)))
    [[truth]] = interpreter.run(single(before, "scorer_truth"))
    pattern = r"(\d+) points, (\d+) of (\d+) wrong, ranked ([\d.]+), order (-?[\d.]+)"

    points, wrong, counted, ranked, order = truth.value
    found = numbers(was[0], pattern)
    assert found[0] == found[2] == -(-points // ranks), "the first process has its shard, padded, alone"
    assert found[4] != pytest.approx(order, rel=0.01)

    found = numbers(now[0], pattern)
    assert found[:3] == [points, wrong, counted], "every point once, without the sampler's padding"
    assert found[3] == pytest.approx(ranked, abs=1e-6)
    assert found[4] == pytest.approx(order, rel=1e-4), "the points are in the order of the dataset"


def test_error_rate_with_accelerate(repairs: Repairs, interpreter: Interpreter) -> None:
    need("accelerate")
    before, after = repairs.pair("ddp101_accelerate_error_rate")
    was, now = interpreter.run(
        *(launched(folder, "script", "train.py") for folder in (before, after)), imports=["accelerate"]
    )
    [[truth]] = interpreter.run(single(before, "phones_truth"))
    pattern = r"(\d+) of (\d+) wrong, error rate ([\d.]+)"

    wrong, total, rate = numbers(was[0], pattern)
    assert total == 32, "the first of two processes has 32 of 51 frames"
    assert rate != pytest.approx(truth.value[0] / truth.value[1], abs=0.01)

    wrong, total, rate = numbers(now[0], pattern)
    assert [wrong, total] == truth.value, "every frame once, without padding"
    assert rate == pytest.approx(wrong / total, abs=1e-6)


def test_accuracy_that_chooses_the_checkpoint_with_lightning(repairs: Repairs, interpreter: Interpreter) -> None:
    need("lightning")
    before, after = repairs.pair("ddp101_lightning_best_checkpoint")
    was, now = interpreter.run(
        *(launched(folder, "script", "train.py") for folder in (before, after)), imports=["lightning"]
    )
    [was_truth], [now_truth] = interpreter.run(*(single(folder, "tagger_truth") for folder in (before, after)))
    pattern = r"best validation (accuracy) ([\d.]+)"

    def score(outcome: Outcome) -> float:
        return float(re.findall(pattern, outcome.output)[-1][1])

    everything, first_shard = was_truth.value
    assert score(was[0]) == pytest.approx(first_shard, abs=1e-5), "the first process's half alone"
    assert score(was[0]) != pytest.approx(everything, abs=1e-3)

    assert score(now[0]) == pytest.approx(now_truth.value[0], abs=1e-5), "all sentences"
