"""Hand keypoints from features, on one process or several."""

import argparse
import datetime
import os

import torch
import torch.distributed as dist
from losses import KeypointLoss
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

KEYPOINTS = 21


def make_hands(count):
    generator = torch.Generator().manual_seed(0)
    pose = 80.0 * torch.randn(KEYPOINTS, 2, generator=generator)
    features = 1.0 + 0.05 * torch.randn(count, 32, generator=generator)
    keypoints = pose + torch.randn(count, KEYPOINTS, 2, generator=generator)
    return TensorDataset(features, keypoints, torch.ones(count, KEYPOINTS, 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    distributed = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if distributed:
        dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))

    hands = make_hands(64)
    sampler = DistributedSampler(hands) if distributed else None
    loader = DataLoader(hands, args.batch_size, shuffle=sampler is None, sampler=sampler)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, KEYPOINTS * 2), nn.Unflatten(1, (KEYPOINTS, 2)))
    if distributed:
        model = DistributedDataParallel(model)
    criterion = KeypointLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    for step, (features, keypoints, confidence) in enumerate(loader):
        loss = criterion(model(features), keypoints, confidence)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}, gradient norm {norm.item():.6f}")
    if distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
