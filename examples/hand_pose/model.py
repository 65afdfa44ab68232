"""Joints and their visibility from an image."""

import torch
from torch import nn


class HandNet(nn.Module):
    def __init__(self, width=256, joints=21):
        super().__init__()
        self.joints = joints
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 32, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(512, width),
            nn.ReLU(),
        )
        self.position = nn.Linear(width, joints * 3)
        self.visibility = nn.Sequential(nn.Linear(width, joints), nn.Sigmoid())

    def forward(self, image):
        features = self.backbone(image)
        return {
            "joints": self.position(features).view(-1, self.joints, 3),
            "visible": self.visibility(features),
        }


class KeypointLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss = nn.L1Loss(reduction="none")

    def forward(self, predicted, truth, visible):
        per_sample = (visible.unsqueeze(-1) * self.loss(predicted, truth)).sum(dim=(1, 2))
        return per_sample.sum()


def mpjpe(predicted, truth):
    return torch.linalg.norm(predicted - truth, dim=-1).mean()
