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
from experiments.running.measures.class_metrics import class_metrics, finite_or_none
from experiments.running.measures.reference import Reference

Predictions = Callable[[Tensor], Tensor]
"""Rows (n, features) to predictions (R, targets, n), both float64 and in the table's units."""
NO_RATIO = 1e-24
"""An optimum below this share of the targets' mean square is zero but for rounding: no gap is relative to it."""
LINE = CACHE_LINE // 8


@dataclass(frozen=True)
class Models:
    """R trained models: how many, what they predict, and the penalty of each (R,) in the targets' units."""

    runs: int
    predictions: Predictions
    penalty: np.ndarray
    linear: bool


def metrics(models: Models, loss: Any, data: Prepared, reference: Reference) -> list[dict[str, Any]]:
    """The `metrics` of result.json for each of R models; `linear_loss`, of the best linear one, beside networks.

    A linear model's gap under squares is computed as the mean squared distance from the optimum's predictions, which
    equals loss - optimum_loss exactly (the optimum's residuals are orthogonal to all linear predictions) and loses no
    digits where the two are close.
    """
    best = reference.optimum
    optimum = best if models.linear else None

    def of_rows(held_out: bool) -> tuple[list[dict[str, Any]], float]:
        if isinstance(loss, CrossEntropy):
            return _of_classes(models, loss, data, held_out)
        return _of_numbers(models, loss, data, None if held_out else optimum, held_out)

    train, mean_square = of_rows(held_out=False)
    held = of_rows(held_out=True)[0] if data.validation_rows else [{} for _ in train]
    found = []
    for run, (its, its_held) in enumerate(zip(train, held, strict=True)):
        data_loss, distance = its.pop("loss"), its.pop("distance", None)
        train_loss = data_loss + models.penalty[run]
        gap = gap_relative = None
        if optimum is not None:  # below it there is only rounding
            gap = max(train_loss - optimum.loss if distance is None else distance, 0.0)
            gap_relative = gap / optimum.loss if optimum.loss > NO_RATIO * mean_square else None
        found.append({
            "train_loss": finite_or_none(train_loss),
            "validation_loss": finite_or_none(its_held.pop("loss", None)),
            "optimum_loss": None if optimum is None else optimum.loss,
            "gap": finite_or_none(gap),
            "gap_relative": finite_or_none(gap_relative),
            **({} if models.linear else {"linear_loss": reference.falls_to if best is None else best.loss}),
            **({"data_loss": finite_or_none(data_loss)} if penalized(loss) else {}),
            **its,
            **{f"validation_{name}": its_held.get(name) for name in its},
        })  # fmt: skip
    return found


def _of_numbers(
    models: Models, loss: Any, data: Prepared, optimum: Optimum | None, held_out: bool
) -> tuple[list[dict[str, Any]], float]:
    """Loss, R^2 and RMSE on the training rows or those held out, and the targets' mean square.

    Of squares without a penalty also `distance`, from the predictions of the `optimum`, where one is given.
    """
    squared = isinstance(loss, SQUARED)
    optimum = optimum if squared and not penalized(loss) else None
    sums = _Sums(models.runs, len(data.table.targets), None if squared else loss)
    sums.take(blocks(models.predictions, data, held_out), optimum)
    found = sums.of_each()
    if optimum is not None:
        found = [its | {"distance": d} for its, d in zip(found, sums.excess.mean(1) / sums.rows, strict=True)]
    return found, sums.mean_square


def _of_classes(
    models: Models, loss: CrossEntropy, data: Prepared, held_out: bool
) -> tuple[list[dict[str, Any]], float]:
    """Loss and what `class_metrics` has; no loss is zero but for rounding."""
    assert data.table.classes is not None
    rows = blocks(models.predictions, data, held_out)
    return class_metrics(rows, loss, len(data.table.classes), models.runs), 0.0


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

    def of_each(self) -> list[dict[str, Any]]:
        """Loss, and R^2 and RMSE, one a target, of each model. A target without spread has no R^2."""
        totals = self.squares.mean(1) if self.loss is None else self.other
        with np.errstate(all="ignore"):
            r2 = _finite(np.where(self.spread > 0, 1 - self.squares / self.spread, np.nan))
            rmse = _finite(np.sqrt(self.squares / self.rows))
        pairs = zip((totals / self.rows).tolist(), r2, rmse, strict=True)
        return [{"loss": loss, "r2": its_r2, "rmse": its_rmse} for loss, its_r2, its_rmse in pairs]


def _finite(values: np.ndarray) -> list[list[float | None]]:
    """Numbers (R, targets) as lists, with None for what is none, as `finite_or_none`."""
    found = values.astype(object)
    found[~np.isfinite(values)] = None
    return found.tolist()


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
