"""Relations between pairs of items, rare ones weighted up."""

import torch
import torch.nn.functional as F
from torch import nn


class Relations(nn.Module):
    def __init__(self, items=30, width=8):
        super().__init__()
        self.items = nn.Embedding(items, width)
        self.score = nn.Linear(2 * width, 1)

    def forward(self, pairs):
        return self.score(self.items(pairs).flatten(1)).squeeze(1)


def batch_loss(model, pairs, related):
    """The weighted loss, and the share of pairs told right."""
    probability = model(pairs).sigmoid()
    weight = torch.where(related > 0, 3.0, 1.0)
    loss = F.binary_cross_entropy(probability, related, weight, reduction="sum") / weight.sum()
    right = ((probability > 0.5) == (related > 0)).float().mean()
    return loss, right


def make_pairs(count):
    pairs = torch.randint(30, (count, 2))
    return pairs, ((pairs[:, 0] + pairs[:, 1]) % 4 == 0).float()


def main():
    torch.manual_seed(0)
    model = Relations()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(10):
        loss, right = batch_loss(model, *make_pairs(64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}, right {right.item():.4f}")


if __name__ == "__main__":
    main()
