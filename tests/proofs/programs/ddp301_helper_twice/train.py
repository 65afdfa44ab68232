"""Hands relative to the wrist, with one helper for both sides."""

import torch
from data import StereoHands
from geometry import root_relative
from torch import nn
from torch.utils.data import DataLoader


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    for batch in loader:
        pred = root_relative(model(batch["feature"]).view(-1, 21, 3))
        target = root_relative(batch["joints"])
        loss = criterion(pred, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item().hex()}")


def main():
    torch.manual_seed(0)
    loader = DataLoader(StereoHands(), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 63))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(2):
        train_one_epoch(model, loader, optimizer, nn.MSELoss())
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
