"""Joints from features of a clip, evaluated frame by frame."""

import datetime

import torch
import torch.distributed as dist
from data import JOINTS, MotionClip, make_loader
from metrics import MotionEvaluator
from torch import nn
from torch.nn.parallel import DistributedDataParallel

VALIDATION_FRAMES = 51


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, JOINTS * 3), nn.Unflatten(1, (JOINTS, 3)))


def validate(model, loader, rank):
    model.eval()
    evaluator = MotionEvaluator()
    with torch.no_grad():
        for features, joints in loader:
            predicted = model(features)
            if rank == 0:
                evaluator.add(predicted.numpy(), joints.numpy())
    if rank == 0:
        position, acceleration = evaluator.position_error(), evaluator.acceleration_error()
        print(f"{len(evaluator)} frames, position {position:.6f} mm, acceleration {acceleration:.6f} mm")


def main():
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    rank = dist.get_rank()
    train_loader = make_loader(MotionClip(120, seed=1), 10, training=True)
    val_loader = make_loader(MotionClip(VALIDATION_FRAMES, seed=2), 10, training=False)
    model = DistributedDataParallel(make_model())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(2):
        train_loader.sampler.set_epoch(epoch)
        model.train()
        for features, joints in train_loader:
            loss = nn.functional.mse_loss(model(features), joints)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    validate(model, val_loader, rank)
    if rank == 0:
        torch.save(model.module.state_dict(), "poses.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
