import torch
from torch.utils.data import Dataset

JOINTS = 21


class HandDataset(Dataset):
    """Features of hands and their joints in millimetres, relative to the wrist."""

    def __init__(self, count=48, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.features = torch.randn(count, 32, generator=generator)
        self.joints = 400.0 + 60.0 * torch.randn(count, JOINTS, 3, generator=generator)

    def __len__(self):
        return len(self.features)

    def __getitem__(self, index):
        joints = self.joints[index]
        joints = joints - joints[0:1]
        return {"feature": self.features[index], "joints": joints}
