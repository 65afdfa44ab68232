"""Foreground masks of small images."""

import torch
from model import Segmenter
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_images(count, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, 1, 16, 16)
    for index in range(count):
        row, column = torch.randint(1, 9, (2,), generator=generator).tolist()
        masks[index, :, row : row + 6, column : column + 6] = 1.0
    return TensorDataset(masks + 0.4 * torch.randn(masks.shape, generator=generator), masks)


class Trainer:
    def __init__(self):
        self.model = Segmenter()
        self.criterion = nn.BCELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.03)

    def loss(self, images, masks):
        probabilities = self.model(images)
        return self.criterion(probabilities, masks)

    def train(self, loader):
        self.model.train()
        for images, masks in loader:
            loss = self.loss(images, masks)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def evaluate(self, loader):
        """The share of pixels on the right side."""
        self.model.eval()
        right = total = 0
        with torch.no_grad():
            for images, masks in loader:
                predicted = self.model(images) > 0.5
                right += (predicted == masks.bool()).sum().item()
                total += masks.numel()
        return right / total


def main():
    torch.manual_seed(0)
    trainer = Trainer()
    train_loader = DataLoader(make_images(48, 1), batch_size=16, shuffle=True)
    val_loader = DataLoader(make_images(16, 2), batch_size=8)
    for epoch in range(3):
        trainer.train(train_loader)
        print(f"epoch {epoch}: pixel accuracy {trainer.evaluate(val_loader):.6f}")


if __name__ == "__main__":
    main()
