import numpy as np
import torch


@torch.no_grad()
def predict(model, loader):
    model.eval()
    scores, labels, embeddings, wrong = [], [], [], []
    for points, label in loader:
        logits = model(points)
        scores.append(logits.softmax(dim=1)[:, 1])
        labels.append(label)
        embeddings.append(logits.numpy())
        wrong.extend((logits.argmax(dim=1) != label).tolist())
    return torch.cat(scores), torch.cat(labels), np.concatenate(embeddings), wrong


def ranked_first(scores, labels):
    """The share of pairs of a positive and a negative sample that the scores put in the right order."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    return (positive[:, None] > negative).float().mean().item()
