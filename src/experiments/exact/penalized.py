"""The exact optimum of squares with a penalty: ridge, lasso and elastic net, from one pass over the rows."""

import numpy as np

from experiments.exact.lasso import duality_gap, lasso
from experiments.exact.optimum import LeastSquares
from experiments.exact.solution import TOO_LARGE, NoOptimum, Optimum, Penalty
from experiments.exact.tsqr import Array

CERTAIN = 1e-10
"""By which share the loss with l1 may be above the smallest one, as its duality gap tells. That is mostly below 1e-13,
but it is rounded too, by a share of y's own size."""


def penalized_optimum(squares: LeastSquares, penalty: Penalty) -> Optimum | NoOptimum:
    """The smallest of mean((y - x w' - b)^2) + l2 * sum(w^2) + l1 * sum(|w|), the mean over rows and targets.

    `squares` has seen the rows as trained, in memory or as a stream; weights and losses are in their units
    (`Scaling.original` gives those of the table). Without l2, weights may share an effect in more ways than one: then
    `unique` is False. NoOptimum where the loss was not proved to be the smallest to CERTAIN.
    """
    if penalty.l2 == penalty.l1 == 0:
        return squares.optimum()
    columns, goal, _ = squares.inner()
    d, size = squares.features, squares.rows * squares.targets
    columns, goal = columns * squares.scale[:d], goal * squares.scale[d:]
    with np.errstate(over="ignore"):
        if not np.isfinite(np.sum(columns**2) + np.sum(goal**2)):
            return NoOptimum(TOO_LARGE)
    # a squared weight costs what a row does that has sqrt(size * l2) in its column and asks for 0
    rows = np.vstack([columns, np.sqrt(size * penalty.l2) * np.eye(d)]) if penalty.l2 > 0 else columns
    asked = np.vstack([goal, np.zeros((len(rows) - len(goal), goal.shape[1]))])
    unique = penalty.l2 > 0
    if penalty.l1 == 0:
        q, r = np.linalg.qr(rows)
        weight = np.linalg.solve(r, q.T @ asked).T
    else:
        l1 = np.full(d, size * penalty.l1 / 2)
        weight = np.array([lasso(rows, column, l1) for column in asked.T])
        for column, found in zip(asked.T, weight, strict=True):
            least = np.sum((column - rows @ found) ** 2) / 2 + l1 @ np.abs(found)
            if not duality_gap(rows, column, l1, found) <= max(CERTAIN * least, 1e-14 * np.sum(column**2)):
                return NoOptimum(
                    "the optimum with loss.l1 was not found to 10 digits: columns almost depend on each other; "
                    "leave some out, or add loss.l2=1e-6"
                )
        unique = unique or all(_only(rows, column, l1, found) for column, found in zip(asked.T, weight, strict=True))
    data_loss = squares.mean_square(goal - columns @ weight.T)
    loss = data_loss + penalty.of(weight)
    return Optimum(weight, squares.best_bias(weight), loss, squares.factored().rank, unique, data_loss)


def _only(rows: Array, goal: Array, l1: Array, found: Array) -> bool:
    """Whether no other weights are as good: columns that pull with all of l1 are independent (R. Tibshirani, 2013)."""
    pulling = np.abs(rows.T @ (goal - rows @ found)) >= l1 * (1 - 1e-9)
    return int(np.linalg.matrix_rank(rows[:, pulling])) == np.count_nonzero(pulling)
