"""Joints of a body, trained with a squared error."""

import argparse
import datetime
import os

import torch
import torch.distributed as dist
from poses import JOINTS, make_loader
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class BodyRegressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(24, 48)
        self.joints = nn.Linear(48, JOINTS * 3)

    def forward(self, features):
        return self.joints(torch.relu(self.hidden(features))).view(-1, JOINTS, 3)


def train_one_epoch(model, loader, criterion, optimizer):
    for step, (features, gt_joints) in enumerate(loader):
        pred_joints = model(features)
        loss = criterion(pred_joints, gt_joints)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}, gradient norm {norm.item():.6f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=16)
    args = parser.parse_args()
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    model = BodyRegressor()
    if world_size > 1:
        dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
        model = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-8)
    train_one_epoch(model, make_loader(args.batch_size, world_size), nn.MSELoss(reduction="sum"), optimizer)
    if world_size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
