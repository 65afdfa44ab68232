"""A scorer of points, whose ranking is measured on the validation data."""

import argparse
import datetime

import torch
import torch.distributed as dist
from evaluation import predict, ranked_first
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))


def make_split(samples, seed):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(samples, 6, generator=generator)
    noise = torch.randn(samples, generator=generator)
    return TensorDataset(points, (points[:, 0] + points[:, 1] * points[:, 2] + noise > 0).long())


def make_loader(dataset, training):
    return DataLoader(dataset, batch_size=8, sampler=DistributedSampler(dataset, shuffle=training))


def main(samples):
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
    rank = dist.get_rank()
    train_loader = make_loader(make_split(160, 1), training=True)
    val_loader = make_loader(make_split(samples, 2), training=False)
    model = DistributedDataParallel(make_model())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(2):
        train_loader.sampler.set_epoch(epoch)
        model.train()
        for points, label in train_loader:
            loss = nn.functional.cross_entropy(model(points), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    scores, labels, embeddings, wrong = predict(model, val_loader)
    if rank == 0:
        order = sum(index * value for index, value in enumerate(embeddings[:, 0]))
        ranked = ranked_first(scores, labels)
        print(f"{len(scores)} points, {sum(wrong)} of {len(wrong)} wrong, ranked {ranked:.6f}, order {order:.4f}")
        torch.save(model.module.state_dict(), "scorer.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=51)
    main(parser.parse_args().samples)
