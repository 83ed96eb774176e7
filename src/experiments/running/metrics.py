"""What a trained model is worth: the final numbers in float64, in the table's units, beside the exact optimum."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.data.prepared import Prepared
from experiments.exact.optimum import Optimum
from experiments.learning.losses import MSE, ManualMSE

Predict = Callable[[Tensor], Tensor]
"""Rows (n, features) in the table's units to predictions (n, targets) in the table's units, float64."""


NO_RATIO = 1e-24
"""An optimum below this share of the targets' mean square is zero but for rounding: no gap is relative to it."""


def metrics(predict: Predict, loss: Any, data: Prepared, optimum: Optimum | None, linear: bool) -> dict[str, Any]:
    """The `metrics` of result.json; r2 and rmse are of the training rows, one a target.

    A linear model's gap is computed as the mean squared distance from the optimum's predictions, which equals
    loss - optimum_loss exactly (the optimum's residuals are orthogonal to all linear predictions) and loses no
    digits where the two are close.
    """
    squares, totals, excess, mean = (np.zeros(len(data.table.targets)) for _ in range(4))
    squared, rows, total = isinstance(loss, MSE | ManualMSE), 0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for x, y, prediction in _blocks(predict, data):
            squares += np.square(prediction - y).sum(0)
            # means and squares of blocks merged (T. Chan, G. Golub and R. LeVeque, 1983)
            step, share = y.mean(0) - mean, len(y) / (rows + len(y))
            totals += np.square(y - y.mean(0)).sum(0) + step**2 * rows * share
            mean, rows = mean + step * share, rows + len(y)
            total += 0.0 if squared else _summed(loss, prediction, y)
            if optimum is not None:
                excess += np.square(prediction - (x @ optimum.weight.T + optimum.bias)).sum(0)
    train_loss = float(squares.mean() / rows) if squared else total / rows
    found: dict[str, Any] = {
        "train_loss": _finite(train_loss),
        "validation_loss": _finite(_held_out_loss(predict, loss, data)) if data.validation_rows else None,
        "optimum_loss": optimum.loss if optimum is not None and squared else None,
        "gap": None,
        "gap_relative": None,
        "r2": [_finite(1 - s / t) if t > 0 else None for s, t in zip(squares, totals, strict=True)],
        "rmse": [_finite(float(np.sqrt(s / rows))) for s in squares],
    }
    if optimum is not None and squared:
        found["gap"] = _finite(float(excess.mean() / rows) if linear else train_loss - optimum.loss)
        size = float((totals / rows + mean**2).mean())
        if found["gap"] is not None and optimum.loss > NO_RATIO * size:
            found["gap_relative"] = _finite(found["gap"] / optimum.loss)
    return found


def _blocks(
    predict: Predict, data: Prepared, held_out: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for block_x, block_y in data.blocks(held_out):
        if len(block_x):
            x = block_x.to(torch.float64)
            yield x.numpy(), block_y.to(torch.float64).numpy(), predict(x).numpy()


def _held_out_loss(predict: Predict, loss: Any, data: Prepared) -> float:
    """The loss over the validation rows: the mean of the blocks', each weighted by its rows."""
    return sum(_summed(loss, p, y) for _, y, p in _blocks(predict, data, held_out=True)) / data.validation_rows


def _summed(loss: Any, prediction: np.ndarray, y: np.ndarray) -> float:
    return loss(torch.from_numpy(prediction), torch.from_numpy(y)).item() * len(y)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
