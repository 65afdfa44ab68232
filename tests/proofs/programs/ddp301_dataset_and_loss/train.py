"""Joints of hands from features."""

import torch
from dataset import JOINTS, HandDataset
from loss import WristRelativeLoss
from torch import nn
from torch.utils.data import DataLoader


def main():
    torch.manual_seed(0)
    loader = DataLoader(HandDataset(), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, JOINTS * 3), nn.Unflatten(1, (JOINTS, 3)))
    criterion = WristRelativeLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(2):
        for batch in loader:
            loss = criterion(model(batch["feature"]), batch["joints"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"epoch {epoch}: loss {loss.item().hex()}")
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
