"""What trained models are worth: the final numbers in float64, in the table's units, beside the exact optimum.

One model or a pack of R models: the predictions of a block of rows come as (R, targets, n), and every number is
worked out for each of the R by itself, so that it does not depend on the models beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.data.allocation import CACHE_LINE
from experiments.data.prepared import Prepared
from experiments.exact.solution import Optimum
from experiments.learning.class_losses import CrossEntropy
from experiments.learning.losses import SQUARED
from experiments.learning.penalty import penalized
from experiments.running.measures.class_metrics import class_metrics
from experiments.running.measures.reference import Reference

Predictions = Callable[[Tensor], Tensor]
"""Rows (n, features) to predictions (R, targets, n), both float64 and in the table's units."""
NO_RATIO = 1e-24
"""An optimum below this share of the targets' mean square is zero but for rounding: no gap is relative to it."""
LINE = CACHE_LINE // 8


@dataclass(frozen=True)
class Trained:
    """R trained models: how many, what they predict, and the penalty of each (R,) in the targets' units."""

    runs: int
    predictions: Predictions
    penalty: np.ndarray
    linear: bool


def metrics(models: Trained, loss: Any, data: Prepared, reference: Reference) -> list[dict[str, Any]]:
    """The `metrics` of result.json for each of R models; `linear_loss`, of the best linear one, beside networks.

    A linear model's gap under squares is computed as the mean squared distance from the optimum's predictions, which
    equals loss - optimum_loss exactly (the optimum's residuals are orthogonal to all linear predictions) and loses no
    digits where the two are close.
    """
    best = reference.optimum
    optimum = best if models.linear else None
    if isinstance(loss, CrossEntropy):
        train, held, size = _of_classes(models, loss, data)
    else:
        train, held, size = _of_numbers(models, loss, data, optimum)
    found = []
    for run, (its, its_held) in enumerate(zip(train, held, strict=True)):
        data_loss, distance = its.pop("loss"), its.pop("distance", None)
        train_loss = data_loss + models.penalty[run]
        gap = None
        if optimum is not None:  # below it there is only rounding
            gap = max(train_loss - optimum.loss if distance is None else distance, 0.0)
        ratio = gap is not None and optimum is not None and optimum.loss > NO_RATIO * size
        found.append({
            "train_loss": finite(train_loss),
            "validation_loss": finite(its_held.pop("loss", None)),
            "optimum_loss": None if optimum is None else optimum.loss,
            "gap": finite(gap),
            "gap_relative": finite(gap / optimum.loss) if ratio and gap is not None and optimum else None,
            **({} if models.linear else {"linear_loss": reference.falls_to if best is None else best.loss}),
            **({"data_loss": finite(data_loss)} if penalized(loss) else {}),
            **its,
            **{f"validation_{name}": its_held.get(name) for name in its},
        })  # fmt: skip
    return found


def _of_numbers(
    models: Trained, loss: Any, data: Prepared, optimum: Optimum | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """Loss, R^2 and RMSE on the training rows and on the held-out ones, and the targets' mean square."""
    squared, targets = isinstance(loss, SQUARED), len(data.table.targets)
    by_distance = models.linear and squared and not penalized(loss)
    train = _Sums(models.runs, targets, None if squared else loss)
    train.take(blocks(models.predictions, data), optimum if by_distance else None)
    ours = [train.of(run) for run in range(models.runs)]
    if by_distance and optimum is not None:
        ours = [its | {"distance": d} for its, d in zip(ours, train.excess.mean(1) / train.rows, strict=True)]
    if not data.validation_rows:
        return ours, [{} for _ in ours], train.mean_square
    held = _Sums(models.runs, targets, None if squared else loss)
    held.take(blocks(models.predictions, data, held_out=True), None)
    return ours, [held.of(run) for run in range(models.runs)], train.mean_square


def _of_classes(
    models: Trained, loss: CrossEntropy, data: Prepared
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """Loss and what `class_metrics` has; no loss is zero but for rounding."""
    assert data.table.classes is not None
    classes = len(data.table.classes)
    train = class_metrics(blocks(models.predictions, data), loss, classes, models.runs)
    if not data.validation_rows:
        return train, [{} for _ in train], 0.0
    return train, class_metrics(blocks(models.predictions, data, held_out=True), loss, classes, models.runs), 0.0


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

    def of(self, run: int) -> dict[str, Any]:
        """Loss, R^2 and RMSE of a model."""
        total = self.squares[run].mean() if self.loss is None else self.other[run]
        return {"loss": float(total / self.rows), "r2": self.r2(run), "rmse": self.rmse(run)}

    def r2(self, run: int) -> list[float | None]:
        """The share of the spread that a model explains, one a target; None where there is no spread."""
        with np.errstate(over="ignore", invalid="ignore"):
            pairs = zip(self.squares[run], self.spread, strict=True)
            return [finite(1 - square / spread) if spread > 0 else None for square, spread in pairs]

    def rmse(self, run: int) -> list[float | None]:
        """The root mean square error of a model, one a target."""
        return [finite(np.sqrt(square / self.rows)) for square in self.squares[run]]


def _squares(predicted: Tensor, goal: Tensor) -> np.ndarray:
    """Squared distances (R, targets) of (R, targets, n) from (targets, n), summed over the rows.

    The rows are filled up to whole cache lines: a sum's bits could else depend on where a model's row begins.
    """
    residual = F.pad(predicted - goal, (0, -goal.shape[1] % LINE))
    return residual.square_().sum(2).numpy()


def blocks(predictions: Predictions, data: Prepared, held_out: bool = False) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """x (n, features), y (n, targets) and predictions (R, outputs, n) of some rows at a time, float64."""
    for x, y in data.blocks(held_out):
        if len(x):
            x = x.to(torch.float64)
            yield x, y.to(torch.float64), predictions(x)


def finite(value: Any) -> float | None:
    """The number, or None for what is none: JSON has no NaN and no infinity."""
    return float(value) if value is not None and np.isfinite(value) else None
