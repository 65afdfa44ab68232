"""A data set of hand images with 21 joints each, and its loaders."""

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler


class HandDataset(Dataset):
    def __init__(self, path, split):
        self.samples = torch.load(f"{path}/{split}.pt")

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        sample = self.samples[index]
        return {"image": sample["image"], "joints": sample["joints"], "visible": sample["visible"]}


def make_loader(path, split, batch_size, distributed):
    dataset = HandDataset(path, split)
    sampler = DistributedSampler(dataset, shuffle=split == "train") if distributed else None
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler, num_workers=4)
