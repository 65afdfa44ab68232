"""A small discriminator that tells points on a ring from others."""

import math

import torch
from torch import nn


def make_discriminator():
    return nn.Sequential(
        nn.Linear(2, 16),
        nn.LeakyReLU(0.2),
        nn.Linear(16, 1),
        nn.Sigmoid(),
    )


def make_points(count):
    angle = 2 * math.pi * torch.rand(count)
    real = torch.stack([angle.cos(), angle.sin()], dim=1)
    points = torch.cat([real, 0.5 * torch.randn(count, 2)])
    return points, torch.cat([torch.ones(count, 1), torch.zeros(count, 1)])


class Game:
    def __init__(self):
        self.discriminator = make_discriminator()
        self.criterion = nn.BCELoss()
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=0.01)

    def loss(self, points, is_real):
        return self.criterion(self.discriminator(points), is_real)

    def step(self, points, is_real):
        loss = self.loss(points, is_real)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main():
    torch.manual_seed(0)
    game = Game()
    for step in range(10):
        print(f"step {step}: loss {game.step(*make_points(16)):.6f}")


if __name__ == "__main__":
    main()
