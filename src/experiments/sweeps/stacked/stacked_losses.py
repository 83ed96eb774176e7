"""The losses of R runs at once, from outputs (R, outputs, n): mean losses, slopes, accuracy; rows may be filled up."""

from typing import Any

import torch
from torch import Tensor

from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import SQUARED, ResidualLoss, on_scaled_targets


class StackedLoss:
    """A loss of the pack's, on `scale` (V, t, 1): what residuals of each variant are multiplied by to be in units."""

    def __init__(self, loss: Any, scale: Tensor, standardized: bool) -> None:
        self.reported, self.scale = loss, scale
        self.trained = on_scaled_targets(loss, scale if standardized else None)
        self.classes = isinstance(loss, CrossEntropy)
        self.squared = isinstance(loss, SQUARED)
        self.has_slopes = self.classes or isinstance(loss, ResidualLoss)  # others are of the user's own
        self.degree = loss.degree if isinstance(loss, ResidualLoss) else 0

    def slopes(self, outputs: Tensor, y: Tensor, rows: int, variant: Tensor) -> Tensor:
        """d mean loss / d outputs of each run, (A, outputs, n), for y (A, t, n) of which the first `rows` are true.

        What it says of the other rows is multiplied by rows of zeros. Overwrites the outputs.
        """
        loss: Any = self.trained
        if self.squared:
            return outputs.sub_(y).mul_(2 / (rows * y.shape[1]))
        if self.classes:
            weights = loss.row_weights(outputs, y)[:, :, :rows].sum(2, keepdim=True) if loss.weight else rows
            return loss.slopes(outputs, y) / weights
        return self._own(variant).slopes(outputs.sub_(y)).div_(rows * y.shape[1])

    def means(self, outputs: Tensor, y: Tensor, rows: int, variant: Tensor) -> Tensor:
        """The mean loss of each run in the targets' units, (A,), over the first `rows` rows."""
        outputs, y = outputs[:, :, :rows], y[:, :, :rows]
        loss: Any = self.reported
        if self.classes:
            weights = loss.row_weights(outputs, y).sum((1, 2)) if loss.weight else rows
            return _sums(loss.values(outputs, y)) / weights
        if not self.has_slopes:
            own = with_spare_runs(torch.arange(len(outputs)), rows)
            scale = self.scale[variant[own]]
            means = torch.vmap(lambda prediction, goal: loss(prediction.t(), goal.t()))
            return means(outputs[own] * scale, y[own] * scale)[: len(outputs)]
        return _sums(loss.values((outputs - y) * self.scale[variant])) / (rows * y.shape[1])

    def accuracy(self, outputs: Tensor, y: Tensor, rows: int) -> Tensor:
        """The share of each run's rows whose most likely class is theirs, (A,)."""
        outputs, y = outputs[:, :, :rows], y[:, :, :rows]
        return _sums(self.reported.right(outputs, y).to(outputs.dtype)) / rows

    def distances(self, outputs: Tensor, best: Tensor, rows: int, variant: Tensor) -> Tensor:
        """The mean squared distance (A,) from the optimum's predictions `best` (A, t, n), in the targets' units."""
        apart = (outputs[:, :, :rows] - best[:, :, :rows]) * self.scale[variant]
        return _sums(apart.square_()) / (rows * best.shape[1])

    def _own(self, variant: Tensor) -> Any:
        """The loss as trained, with the delta of each run's variant."""
        loss = self.trained
        delta = getattr(loss, "delta", None)
        return type(loss)(delta=delta[variant]) if isinstance(delta, Tensor) else loss


def _sums(values: Tensor) -> Tensor:
    """Over all but the first dimension."""
    return values.flatten(1).sum(1)


SPARE = 64
"""Numbers at the end of a tensor that torch may round otherwise than those before: some vector registers full."""


def with_spare_runs(runs: Tensor, rows: int) -> Tensor:
    """The numbers of runs (A,), and after them some of the first once more, whose results are thrown away.

    Some of torch's functions (cosh is one) round the last few elements of a tensor in another way, and BLAS goes
    another way for one run alone: so no run is ever at the end, or by itself.
    """
    return torch.cat([runs, runs[:1].expand(max(1, -(-SPARE // rows)))])
