import torch
from torch import nn


class Segmenter(nn.Module):
    """The probability of the foreground for each pixel."""

    def __init__(self, width=8):
        super().__init__()
        self.encode = nn.Conv2d(1, width, 3, padding=1)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, image):
        hidden = torch.relu(self.encode(image))
        return torch.sigmoid(self.head(hidden))
