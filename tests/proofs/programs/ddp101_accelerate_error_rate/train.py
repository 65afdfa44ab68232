"""Phones of speech frames, trained with accelerate."""

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PHONES = 6
VALIDATION_FRAMES = 51


def make_split(count, seed):
    generator = torch.Generator().manual_seed(seed)
    phones = torch.randint(PHONES, (count,), generator=generator)
    centres = torch.randn(PHONES, 13, generator=torch.Generator().manual_seed(0))
    return TensorDataset(centres[phones] + 1.5 * torch.randn(count, 13, generator=generator), phones)


def make_model():
    return nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, PHONES))


def main():
    set_seed(13)
    accelerator = Accelerator(cpu=True)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_loader = DataLoader(make_split(128, 1), batch_size=16, shuffle=True)
    valid_loader = DataLoader(make_split(VALIDATION_FRAMES, 2), batch_size=8)
    model, optimizer, train_loader, valid_loader = accelerator.prepare(model, optimizer, train_loader, valid_loader)
    for _ in range(2):
        model.train()
        for frames, phones in train_loader:
            loss = F.cross_entropy(model(frames), phones)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    wrong = total = 0
    for frames, phones in valid_loader:
        with torch.no_grad():
            predicted = model(frames).argmax(dim=-1)
        wrong += (predicted != phones).sum().item()
        total += phones.numel()
    accelerator.print(f"{wrong} of {total} wrong, error rate {wrong / total:.6f}")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        torch.save(accelerator.unwrap_model(model).state_dict(), "phones.pt")
    accelerator.end_training()


if __name__ == "__main__":
    main()
