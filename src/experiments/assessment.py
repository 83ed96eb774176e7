"""What a trained model is worth: the final numbers in float64, in the table's units, beside the exact optimum."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.data.dataset import Dataset
from experiments.losses import MSE, ManualMSE
from experiments.optimum import Optimum

BLOCK = 65_536
"""Rows taken to float64 at a time."""

Predict = Callable[[Tensor], Tensor]
"""Rows (n, features) in the table's units to predictions (n, targets) in the table's units, float64."""


NO_RATIO = 1e-24
"""An optimum below this share of the targets' mean square is zero but for rounding: no gap is relative to it."""


def metrics(
    predict: Predict, loss: Any, table: Dataset, held_out: Dataset | None, optimum: Optimum | None, linear: bool
) -> dict[str, Any]:
    """The `metrics` of result.json; r2 and rmse are of the training rows, one a target.

    A linear model's gap is computed as the mean squared distance from the optimum's predictions, which equals
    loss - optimum_loss exactly (the optimum's residuals are orthogonal to all linear predictions) and loses no
    digits where the two are close.
    """
    squares, totals, excess = (np.zeros(len(table.targets)) for _ in range(3))
    mean = table.y.to(torch.float64).mean(0).numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        for x, y, prediction in _blocks(predict, table):
            squares += np.square(prediction - y).sum(0)
            totals += np.square(y - mean).sum(0)
            if optimum is not None:
                excess += np.square(prediction - (x @ optimum.weight.T + optimum.bias)).sum(0)
    rows = len(table.x)
    squared = isinstance(loss, MSE | ManualMSE)
    train_loss = float(squares.mean() / rows) if squared else _loss(predict, loss, table)
    found: dict[str, Any] = {
        "train_loss": _finite(train_loss),
        "validation_loss": None if held_out is None else _finite(_loss(predict, loss, held_out)),
        "optimum_loss": optimum.loss if optimum is not None and squared else None,
        "gap": None,
        "gap_relative": None,
        "r2": [_finite(1 - s / t) if t > 0 else None for s, t in zip(squares, totals, strict=True)],
        "rmse": [_finite(float(np.sqrt(s / rows))) for s in squares],
    }
    if optimum is not None and squared:
        found["gap"] = _finite(float(excess.mean() / rows) if linear else train_loss - optimum.loss)
        size = table.y.to(torch.float64).square().mean().item()
        if found["gap"] is not None and optimum.loss > NO_RATIO * size:
            found["gap_relative"] = _finite(found["gap"] / optimum.loss)
    return found


def _blocks(predict: Predict, table: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for first in range(0, len(table.x), BLOCK):
        x = table.x[first : first + BLOCK].to(torch.float64)
        y = table.y[first : first + BLOCK].to(torch.float64)
        yield x.numpy(), y.numpy(), predict(x).numpy()


def _loss(predict: Predict, loss: Any, table: Dataset) -> float:
    """The loss over all rows of a table: the mean of its blocks', each weighted by its rows."""
    total = 0.0
    for _, y, prediction in _blocks(predict, table):
        total += loss(torch.from_numpy(prediction), torch.from_numpy(y)).item() * len(y)
    return total / len(table.x)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
