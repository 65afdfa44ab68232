"""A regressor on shards, validated on the first samples of its pipeline."""

import argparse

import torch
import torch.nn.functional as F
import webdataset as wds
from torch import nn

VALIDATION_SAMPLES = 12


def read(sample):
    values = torch.tensor([float(word) for word in sample["txt"].decode().split()])
    return sample["__key__"], values[:-1], values[-1:]


def train_pipeline(shard):
    return wds.WebDataset(shard, shardshuffle=False).shuffle(100).map(read)


def validation_pipeline(shard):
    return wds.WebDataset(shard, shardshuffle=False).shuffle(100).map(read)


@torch.no_grad()
def validate(model, dataset):
    model.eval()
    keys, total = [], 0.0
    for key, x, y in dataset:
        if len(keys) == VALIDATION_SAMPLES:
            break
        keys.append(key)
        total += F.mse_loss(model(x), y).item()
    print(f"validated on {sorted(keys)}")
    return total / len(keys)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train_shard")
    parser.add_argument("val_shard")
    args = parser.parse_args()
    train_data, val_data = train_pipeline(args.train_shard), validation_pipeline(args.val_shard)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(2):
        model.train()
        for _, x, y in train_data:
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: validation loss {validate(model, val_data):.4f}")


if __name__ == "__main__":
    main()
