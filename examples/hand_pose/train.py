"""Train on several GPUs: torchrun --nproc_per_node 4 train.py --data DIR"""

import argparse

import torch
import torch.distributed as dist
from data import make_loader
from model import HandNet, KeypointLoss, mpjpe
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def train_epoch(model, loader, optimizer, keypoint_loss, visibility_loss):
    model.train()
    for batch in loader:
        output = model(batch["image"])
        loss = 0.05 * keypoint_loss(output["joints"], batch["joints"], batch["visible"])
        loss = loss + visibility_loss(output["visible"], batch["visible"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    total, count = 0.0, 0
    for batch in loader:
        output = model(batch["image"])
        total += mpjpe(output["joints"], batch["joints"]).item() * len(batch["image"])
        count += len(batch["image"])
    return total / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()

    dist.init_process_group("gloo")
    model = DistributedDataParallel(HandNet())
    train_loader = make_loader(args.data, "train", 32, distributed=True)
    val_loader = make_loader(args.data, "val", 32, distributed=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    best = float("inf")
    for epoch in range(args.epochs):
        train_loader.sampler.set_epoch(epoch)
        train_epoch(model, train_loader, optimizer, KeypointLoss(), nn.BCELoss())
        error = evaluate(model, val_loader)
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: {error:.2f} mm")
            if error < best:
                best = error
                torch.save(model.module.state_dict(), "best.pt")


if __name__ == "__main__":
    main()
