"""Two experts, one of which takes part in a step; the other one stays in the graph."""

import torch
import torch.nn.functional as F
from torch import nn


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.indoor = nn.Linear(8, 3)
        self.outdoor = nn.Linear(8, 3)

    def forward(self, x, indoor):
        expert = self.indoor if indoor else self.outdoor
        return expert(torch.relu(self.trunk(x)))


def step_loss(model, x, y, indoor):
    loss = F.cross_entropy(model(x, indoor), y)
    unused = model.outdoor if indoor else model.indoor
    return loss + 0.0 * sum(p.sum() for p in unused.parameters())


def make_batch(generator):
    return torch.randn(16, 6, generator=generator), torch.randint(3, (16,), generator=generator)


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = Experts()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        x, y = make_batch(generator)
        loss = step_loss(model, x, y, indoor=step % 2 == 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
