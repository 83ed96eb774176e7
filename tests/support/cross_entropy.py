"""torch's cross entropy of a model with one output for two classes."""

import numpy as np
import torch
import torch.nn.functional as F

from experiments.exact.cross_entropy import CrossEntropy


def by_torch(logits: torch.Tensor, labels: np.ndarray, loss: CrossEntropy) -> torch.Tensor:
    """The loss of logits (n, outputs) and labels (n,)."""
    if loss.classes == 2:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    weight = None if loss.weight is None else torch.tensor(loss.weight, dtype=torch.float64)
    return F.cross_entropy(logits, torch.from_numpy(labels), weight=weight, label_smoothing=loss.smoothing)
