"""What trained models are worth: the final numbers in float64, in the table's units, beside the exact optimum.

One model or a stack of R models: the predictions of a block of rows come as (R, targets, n), and every number is
worked out for each of the R by itself, so that it does not depend on the models beside it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared
from experiments.exact.optimum import Optimum
from experiments.learning.losses import SQUARED

Predictions = Callable[[Tensor], Tensor]
"""Rows (n, features) to predictions (R, targets, n), both float64 and in the table's units."""
NO_RATIO = 1e-24
"""An optimum below this share of the targets' mean square is zero but for rounding: no gap is relative to it."""
LINE = CACHE_LINE // 8


def metrics(
    predictions: Predictions, runs: int, loss: Any, data: Prepared, optimum: Optimum | None, linear: bool
) -> list[dict[str, Any]]:
    """The `metrics` of result.json for each of R models.

    A linear model's gap is computed as the mean squared distance from the optimum's predictions, which equals
    loss - optimum_loss exactly (the optimum's residuals are orthogonal to all linear predictions) and loses no
    digits where the two are close.
    """
    squared = isinstance(loss, SQUARED)
    train = _Sums(runs, len(data.table.targets), None if squared else loss)
    train.take(_blocks(predictions, data), optimum if linear and squared else None)
    held = None
    if data.validation_rows:
        held = _Sums(runs, len(data.table.targets), None if squared else loss)
        held.take(_blocks(predictions, data, held_out=True), None)
    losses, gap, least = train.losses(), np.full(runs, np.nan), None
    if optimum is not None and squared:
        least, gap = optimum.loss, train.excess.mean(1) / train.rows if linear else losses - optimum.loss
    ratio = np.nan if least is None or least <= NO_RATIO * train.mean_square else least
    return [
        {
            "train_loss": _finite(losses[run]),
            "validation_loss": None if held is None else _finite(held.losses()[run]),
            "optimum_loss": least,
            "gap": _finite(gap[run]),
            "gap_relative": _finite(gap[run] / ratio),
            "r2": train.r2(run),
            "rmse": train.rmse(run),
            "validation_r2": None if held is None else held.r2(run),
            "validation_rmse": None if held is None else held.rmse(run),
        }
        for run in range(runs)
    ]


class _Sums:
    """Squared residuals of R models over rows that come in blocks, and the spread of the targets themselves."""

    def __init__(self, runs: int, targets: int, loss: Any) -> None:
        """`loss` is asked where it is not the mean squared error."""
        self.loss, self.rows = loss, 0
        self.squares, self.excess = np.zeros((runs, targets)), np.zeros((runs, targets))
        self.other = np.zeros(runs)
        self.spread, self.mean = np.zeros(targets), np.zeros(targets)

    def take(self, blocks: Iterator[tuple[Tensor, Tensor, Tensor]], optimum: Optimum | None) -> None:
        """Add blocks of rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            for x, y, predicted in blocks:
                self.squares += _squares(predicted, y.t())
                if optimum is not None:
                    best = x @ torch.from_numpy(optimum.weight).t() + torch.from_numpy(optimum.bias)
                    self.excess += _squares(predicted, best.t())
                if self.loss is not None:
                    self.other += [len(y) * self.loss(one.t(), y).item() for one in predicted]
                self._spread(y.numpy())

    def _spread(self, y: np.ndarray) -> None:
        """Means and squares of blocks merged (T. Chan, G. Golub and R. LeVeque, 1983)."""
        step, share = y.mean(0) - self.mean, len(y) / (self.rows + len(y))
        self.spread += np.square(y - y.mean(0)).sum(0) + step**2 * self.rows * share
        self.mean, self.rows = self.mean + step * share, self.rows + len(y)

    @property
    def mean_square(self) -> float:
        """Of the targets."""
        return float((self.spread / self.rows + self.mean**2).mean())

    def losses(self) -> np.ndarray:
        """The mean loss of each model (R,)."""
        return (self.squares.mean(1) if self.loss is None else self.other) / self.rows

    def r2(self, run: int) -> list[float | None]:
        """The share of the spread that a model explains, one a target; None where there is no spread."""
        with np.errstate(over="ignore", invalid="ignore"):
            pairs = zip(self.squares[run], self.spread, strict=True)
            return [_finite(1 - square / spread) if spread > 0 else None for square, spread in pairs]

    def rmse(self, run: int) -> list[float | None]:
        """The root mean square error of a model, one a target."""
        return [_finite(np.sqrt(square / self.rows)) for square in self.squares[run]]


def _squares(predicted: Tensor, goal: Tensor) -> np.ndarray:
    """Squared distances (R, targets) of (R, targets, n) from (targets, n), summed over the rows.

    The rows are filled up to whole cache lines: a sum's bits could else depend on where a model's row begins.
    """
    residual = F.pad(predicted - goal, (0, -goal.shape[1] % LINE))
    return residual.square_().sum(2).numpy()


def _blocks(
    predictions: Predictions, data: Prepared, held_out: bool = False
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for x, y in data.blocks(held_out):
        if len(x):
            x = x.to(torch.float64)
            yield x, y.to(torch.float64), predictions(x)


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
