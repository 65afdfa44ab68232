"""A tagger whose best checkpoint is the one with the highest validation accuracy."""

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TAGS = 5


class Tagger(L.LightningModule):
    def __init__(self, vocabulary=40, hidden=16):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, hidden)
        self.head = nn.Linear(hidden, TAGS)

    def forward(self, tokens):
        return self.head(self.embed(tokens))

    def training_step(self, batch, batch_idx):
        tokens, tags = batch
        return F.cross_entropy(self(tokens).transpose(1, 2), tags)

    def validation_step(self, batch, batch_idx):
        tokens, tags = batch
        accuracy = (self(tokens).argmax(-1) == tags).float().mean()
        self.log("val_acc", accuracy)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


def make_split(count, seed):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(40, (count, 9), generator=generator)
    noisy = torch.rand(count, 9, generator=generator) < 0.3
    return TensorDataset(tokens, torch.where(noisy, 0, tokens % TAGS))


def main():
    L.seed_everything(7)
    train_loader = DataLoader(make_split(64, 1), batch_size=8, shuffle=True)
    val_loader = DataLoader(make_split(24, 2), batch_size=4)
    checkpoint = ModelCheckpoint("checkpoints", filename="best", monitor="val_acc", mode="max")
    trainer = L.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=2,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[checkpoint],
    )
    trainer.fit(Tagger(), train_loader, val_loader)
    if trainer.is_global_zero:
        print(f"best validation accuracy {checkpoint.best_model_score.item():.6f}")


if __name__ == "__main__":
    main()
