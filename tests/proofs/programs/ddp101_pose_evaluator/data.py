import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

JOINTS = 7


class MotionClip(Dataset):
    """Frames of one clip: image features and the joints, in millimetres."""

    def __init__(self, frames, seed):
        generator = torch.Generator().manual_seed(seed)
        time = torch.linspace(0.0, 6.0, frames)[:, None]
        self.features = torch.cat([torch.sin(time * (k + 1) / 3) for k in range(8)], dim=1)
        mixing = torch.randn(8, JOINTS * 3, generator=torch.Generator().manual_seed(0))
        noise = 5.0 * torch.randn(frames, JOINTS * 3, generator=generator)
        self.joints = (100.0 * self.features @ mixing + noise).view(frames, JOINTS, 3)

    def __len__(self):
        return len(self.features)

    def __getitem__(self, index):
        return self.features[index], self.joints[index]


def make_loader(dataset, batch_size, training):
    sampler = DistributedSampler(dataset, shuffle=training)
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler, drop_last=training)
