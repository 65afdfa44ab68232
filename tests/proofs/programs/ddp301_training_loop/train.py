"""Bodies lifted from the image into space, relative to the pelvis."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PELVIS = 0
JOINTS = 17


class Lifter(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(JOINTS * 2, 64)
        self.output = nn.Linear(64, JOINTS * 3)

    def forward(self, keypoints):
        return self.output(torch.relu(self.hidden(keypoints.flatten(1)))).view(-1, JOINTS, 3)


def joint_loss(pred, gt):
    pred = pred - pred[:, PELVIS : PELVIS + 1, :]
    gt = gt - gt[:, PELVIS : PELVIS + 1, :]
    return F.l1_loss(pred, gt)


def make_bodies(count):
    generator = torch.Generator().manual_seed(2)
    joints = torch.tensor([0.0, 0.0, 4000.0]) + 300.0 * torch.randn(count, JOINTS, 3, generator=generator)
    return TensorDataset(joints[..., :2] / joints[..., 2:], joints)


def main():
    torch.manual_seed(0)
    loader = DataLoader(make_bodies(48), batch_size=16, shuffle=True)
    model = Lifter()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(2):
        for keypoints, joints in loader:
            root = joints[:, PELVIS]
            joints = joints - root.unsqueeze(1)
            loss = joint_loss(model(keypoints), joints)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"loss {loss.item().hex()}")
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
