"""Body joints in space and in the image, two terms of one loss."""

import argparse
import datetime
import os

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

JOINTS = 14


class BodyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(20, 40)
        self.joints_3d = nn.Linear(40, JOINTS * 3)
        self.joints_2d = nn.Linear(40, JOINTS * 2)

    def forward(self, x):
        x = torch.relu(self.trunk(x))
        return self.joints_3d(x).view(-1, JOINTS, 3), self.joints_2d(x).view(-1, JOINTS, 2)


def body_loss(pred_3d, pred_2d, joints_3d, joints_2d):
    loss_3d = torch.sum((pred_3d - joints_3d) ** 2)
    loss_2d = F.smooth_l1_loss(pred_2d, joints_2d, reduction="sum")
    return 0.5 * loss_3d + 10.0 * loss_2d


def make_bodies(count):
    generator = torch.Generator().manual_seed(5)
    joints_3d = 4.0 * torch.randn(JOINTS, 3, generator=generator) + 0.05 * torch.randn(
        count, JOINTS, 3, generator=generator
    )
    joints_2d = 20.0 * joints_3d[..., :2] + torch.randn(count, JOINTS, 2, generator=generator)
    return TensorDataset(1.0 + 0.05 * torch.randn(count, 20, generator=generator), joints_3d, joints_2d)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    model = BodyNet()
    sampler = None
    bodies = make_bodies(64)
    if world_size > 1:
        dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
        model = DistributedDataParallel(model)
        sampler = DistributedSampler(bodies)
    loader = DataLoader(bodies, args.batch_size, shuffle=sampler is None, sampler=sampler)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-8)
    for step, (x, joints_3d, joints_2d) in enumerate(loader):
        pred_3d, pred_2d = model(x)
        loss = body_loss(pred_3d, pred_2d, joints_3d, joints_2d)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}, gradient norm {norm.item():.6f}")
    if world_size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
