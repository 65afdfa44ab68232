import torch
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

JOINTS = 17


def make_loader(batch_size, world_size):
    """Joints of bodies in centimetres, split over the processes where there are several."""
    generator = torch.Generator().manual_seed(3)
    pose = 60.0 * torch.randn(JOINTS, 3, generator=generator)
    features = 1.0 + 0.05 * torch.randn(64, 24, generator=generator)
    dataset = TensorDataset(features, pose + torch.randn(64, JOINTS, 3, generator=generator))
    if world_size > 1:
        return DataLoader(dataset, batch_size=batch_size, sampler=DistributedSampler(dataset))
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)
