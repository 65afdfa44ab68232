from torch import nn


class KeypointLoss(nn.Module):
    """Distance of the keypoints, weighted by how sure the annotation is."""

    def __init__(self):
        super().__init__()
        self.distance = nn.L1Loss(reduction="none")

    def forward(self, pred_keypoints, gt_keypoints, confidence):
        error = confidence * self.distance(pred_keypoints, gt_keypoints)
        loss = error.sum(dim=(1, 2))
        return loss.sum()
