"""Adapters per language; those of the other languages stay in the graph."""

import torch
import torch.nn.functional as F
from torch import nn


class Translator(nn.Module):
    def __init__(self, languages=("de", "fr", "it")):
        super().__init__()
        self.encoder = nn.Linear(8, 8)
        self.adapters = nn.ModuleDict({name: nn.Linear(8, 8) for name in languages})
        self.head = nn.Linear(8, 4)

    def forward(self, x, language):
        hidden = torch.tanh(self.encoder(x))
        output = self.head(hidden + self.adapters[language](hidden))
        kept = [p.mean() for name, adapter in self.adapters.items() if name != language for p in adapter.parameters()]
        return output, torch.stack(kept).sum() * 0


def step_loss(model, x, y, language):
    output, kept = model(x, language)
    return F.cross_entropy(output, y) + kept


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = Translator()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, language in enumerate(["de", "fr", "it", "de"]):
        x = torch.randn(16, 8, generator=generator)
        y = torch.randint(4, (16,), generator=generator)
        loss = step_loss(model, x, y, language)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step}: loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
