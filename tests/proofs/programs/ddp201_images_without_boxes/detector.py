import torch
import torch.nn.functional as F
from torch import nn


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(10, 16)
        self.boxes = nn.Linear(16, 4)
        self.scores = nn.Linear(16, 1)

    def forward(self, features):
        hidden = torch.relu(self.backbone(features))
        return self.boxes(hidden), self.scores(hidden)


def detection_loss(model, predicted, targets):
    """The loss over the positions that hold a box; zero, but in the graph, if none does."""
    boxes, scores = predicted
    mask = targets["has_box"]
    if not mask.any():
        loss = 0.0
        for parameter in model.parameters():
            loss = loss + 0.0 * parameter.sum()
        return loss
    regression = F.smooth_l1_loss(boxes[mask], targets["boxes"][mask])
    return regression + F.binary_cross_entropy_with_logits(scores[:, 0], mask.float())
