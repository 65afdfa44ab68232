import torch
import webdataset as wds
from torch.utils.data import DataLoader


def read(sample):
    values = torch.tensor([float(word) for word in sample["txt"].decode().split()])
    return int(sample["__key__"]), values[:-1], values[-1:]


def make_loader(shard, batch_size, buffer=64):
    dataset = wds.WebDataset(shard, shardshuffle=False).shuffle(buffer).map(read).batched(batch_size)
    return DataLoader(dataset, batch_size=None)
