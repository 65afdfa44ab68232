"""A detector on several processes; some batches hold no box."""

import datetime

import torch
import torch.distributed as dist
from detector import Detector, detection_loss
from torch.nn.parallel import DistributedDataParallel


def make_batch(rank, step):
    generator = torch.Generator().manual_seed(100 * rank + step)
    features = torch.randn(12, 10, generator=generator)
    has_box = torch.rand(12, generator=generator) < 0.5
    if rank == 1 and step in (1, 3):
        has_box[:] = False
    return features, {"has_box": has_box, "boxes": torch.rand(12, 4, generator=generator)}


def main():
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    rank = dist.get_rank()
    torch.manual_seed(0)
    model = DistributedDataParallel(Detector())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(5):
        features, targets = make_batch(rank, step)
        loss = detection_loss(model, model(features), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"rank {rank} step {step}: loss {loss.item():.6f}")
    torch.save(model.module.state_dict(), f"detector_{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
