"""What is measured in the process of a program, whose folder is the current one.

Imports of a program's modules are local: every program has its own `train`.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import runpy
import sys
import time
from typing import Any

import torch
import torch.distributed
from torch.utils._python_dispatch import TorchDispatchMode

_destroy = torch.distributed.destroy_process_group


def _destroy_in_peace(group: Any = None) -> None:
    # torch joins gloo's threads with the GIL held, and hangs if one of them still needs it to let go of a gradient
    time.sleep(0.1)
    _destroy(group)


def script(name: str, *arguments: str) -> None:
    """Run a script as the command line does."""
    sys.argv = [name, *arguments]
    torch.distributed.destroy_process_group = _destroy_in_peace
    runpy.run_path(name, run_name="__main__")


def _digest(path: str) -> str:
    """A checkpoint's bits."""
    total = hashlib.sha256()
    for name, tensor in torch.load(path).items():
        total.update(name.encode() + tensor.numpy().tobytes())
    return total.hexdigest()


# DDP101: the metric of the checkpoint over the whole validation data, on one process


def classifier_truth(samples: int) -> list[int]:
    train = importlib.import_module("train")
    model = train.make_model()
    model.load_state_dict(torch.load("classifier.pt"))
    points, labels = train.make_split(samples, 2).tensors
    right = model(points).argmax(dim=1) == labels
    return [right.sum().item(), right[::2].sum().item()]


def poses_truth() -> list[float]:
    train = importlib.import_module("train")
    evaluator = train.MotionEvaluator()
    model = train.make_model()
    model.load_state_dict(torch.load("poses.pt"))
    frames = train.MotionClip(train.VALIDATION_FRAMES, seed=2)
    with torch.no_grad():
        evaluator.add(model(frames.features).numpy(), frames.joints.numpy())
    return [evaluator.position_error(), evaluator.acceleration_error()]


def scorer_truth() -> list[float]:
    train = importlib.import_module("train")
    model = train.make_model()
    model.load_state_dict(torch.load("scorer.pt"))
    points, labels = train.make_split(51, 2).tensors
    with torch.no_grad():
        logits = model(points)
    wrong = (logits.argmax(dim=1) != labels).sum().item()
    order = sum(index * value for index, value in enumerate(logits[:, 0].tolist()))
    return [len(points), wrong, len(points), train.ranked_first(logits.softmax(dim=1)[:, 1], labels), order]


def phones_truth() -> list[int]:
    train = importlib.import_module("train")
    model = train.make_model()
    model.load_state_dict(torch.load("phones.pt"))
    frames, phones = train.make_split(train.VALIDATION_FRAMES, 2).tensors
    return [(model(frames).argmax(dim=1) != phones).sum().item(), train.VALIDATION_FRAMES]


def tagger_truth() -> list[float]:
    """The accuracy over all sentences, and over those of the first of two processes."""
    train = importlib.import_module("train")
    model = train.Tagger()
    model.load_state_dict(torch.load("checkpoints/best.ckpt", weights_only=False)["state_dict"])
    tokens, tags = train.make_split(24, 2).tensors
    right = (model(tokens).argmax(-1) == tags).float()
    return [right.mean().item(), right[::2].mean().item()]


# DDP201: the loss with one infinite weight in what takes no part in the step


def _loss_and_gradients(loss: torch.Tensor, idle: torch.nn.Module) -> dict[str, Any]:
    loss.backward()
    gradients = [math.nan if p.grad is None else p.grad.abs().max().item() for p in idle.parameters()]
    return {"loss": loss.item(), "gradients": gradients}


def _spoil(weight: torch.Tensor) -> None:
    with torch.no_grad():
        weight.flatten()[0] = math.inf


def experts_with_infinity() -> dict[str, Any]:
    train = importlib.import_module("train")
    torch.manual_seed(0)
    model = train.Experts()
    _spoil(model.outdoor.weight)
    x, y = train.make_batch(torch.Generator().manual_seed(1))
    task = torch.nn.functional.cross_entropy(model(x, True), y).item()
    return {"task": task, **_loss_and_gradients(train.step_loss(model, x, y, True), model.outdoor)}


def detector_with_infinity() -> dict[str, Any]:
    detector = importlib.import_module("detector")
    torch.manual_seed(0)
    model = detector.Detector()
    predicted = model(torch.randn(12, 10))
    _spoil(model.boxes.weight)
    targets = {"has_box": torch.zeros(12, dtype=torch.bool), "boxes": torch.zeros(12, 4)}
    return {"task": 0.0, **_loss_and_gradients(detector.detection_loss(model, predicted, targets), model)}


def adapters_with_infinity() -> dict[str, Any]:
    train = importlib.import_module("train")
    torch.manual_seed(0)
    model = train.Translator()
    _spoil(model.adapters["it"].weight)
    x, y = torch.randn(16, 8), torch.randint(4, (16,))
    task = torch.nn.functional.cross_entropy(model(x, "de")[0], y).item()
    return {"task": task, **_loss_and_gradients(train.step_loss(model, x, y, "de"), model.adapters["it"])}


def detector_trained() -> str:
    script("train.py")
    return _digest(f"detector_{os.environ['RANK']}.pt")


# DDP203: the loss at given logits, all alike, and its derivative by them


def _loss_at(layer: Any, logit: float, loss: Any) -> list[float]:
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(logit)
    layer.bias.grad = None
    value = loss()
    value.backward()
    return [value.item(), layer.bias.grad.item()]


def segmentation_at(logits: list[float], target: float) -> list[list[float]]:
    trainer = importlib.import_module("train").Trainer()
    images, masks = torch.randn(2, 1, 16, 16), torch.full((2, 1, 16, 16), target)
    return [_loss_at(trainer.model.head, logit, lambda: trainer.loss(images, masks)) for logit in logits]


def discriminator_at(logits: list[float], target: float) -> list[list[float]]:
    game = importlib.import_module("train").Game()
    layer = next(one for one in reversed(game.discriminator) if isinstance(one, torch.nn.Linear))
    points, truth = torch.randn(8, 2), torch.full((8, 1), target)
    return [_loss_at(layer, logit, lambda: game.loss(points, truth)) for logit in logits]


def relations_at(logits: list[float], target: float) -> list[list[float]]:
    train = importlib.import_module("train")
    model = train.Relations()
    pairs, truth = torch.zeros(8, 2, dtype=torch.long), torch.full((8,), target)
    return [_loss_at(model.score, logit, lambda: train.batch_loss(model, pairs, truth)[0]) for logit in logits]


# DDP301: the trained weights, and how many tensors were subtracted on the way


class _Subtractions(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket in (torch.ops.aten.sub, torch.ops.aten.sub_)
        return func(*args, **(kwargs or {}))


def trained_with_subtractions() -> list[Any]:
    with _Subtractions() as subtractions:
        script("train.py")
    return [_digest("model.pt"), subtractions.count]
