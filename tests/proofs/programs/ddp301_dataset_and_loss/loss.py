from torch import nn


class WristRelativeLoss(nn.Module):
    def forward(self, pred, gt):
        pred = pred - pred[:, :1]
        gt = gt - gt[:, :1]
        return (pred - gt).abs().mean()
