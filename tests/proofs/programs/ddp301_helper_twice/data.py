import torch
from geometry import root_relative
from torch.utils.data import Dataset


class StereoHands(Dataset):
    def __init__(self, count=40):
        generator = torch.Generator().manual_seed(4)
        self.features = torch.randn(count, 24, generator=generator)
        self.joints = 300.0 + 50.0 * torch.randn(count, 21, 3, generator=generator)

    def __len__(self):
        return self.features.shape[0]

    def __getitem__(self, index):
        return {"feature": self.features[index], "joints": root_relative(self.joints[index])}
