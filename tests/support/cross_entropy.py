"""torch's cross entropy of a model with one output for two classes."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from experiments.exact.cross_entropy import outputs_of, shares


@dataclass(frozen=True)
class Entropy:
    """The loss of so many classes, with their weights and the smoothing of labels."""

    classes: int
    weight: tuple[float, ...] | None = None
    smoothing: float = 0.0

    @property
    def outputs(self) -> int:
        return outputs_of(self.classes)

    def shares(self, labels: np.ndarray) -> np.ndarray:
        """Ours."""
        return shares(labels, self.classes, self.weight, self.smoothing)

    def by_torch(self, logits: torch.Tensor, labels: np.ndarray) -> torch.Tensor:
        """The loss of logits (n, outputs) and labels (n,)."""
        if self.classes == 2:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        weight = None if self.weight is None else torch.tensor(self.weight, dtype=torch.float64)
        return F.cross_entropy(logits, torch.from_numpy(labels), weight=weight, label_smoothing=self.smoothing)
