"""How far the weights of least squares would wander with other rows: standard errors, classical and robust."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.exact.optimum import LeastSquares
from experiments.exact.solution import Optimum
from experiments.exact.tsqr import Array, as_table

ALONE = 1e-9
"""A row whose leverage is that near to 1 decides a weight by itself, and its residual says nothing."""


@dataclass(frozen=True)
class StandardErrors:
    """Of the optimum's weights and biases in the units of the rows: (targets, features + 1), the bias last."""

    optimum: Optimum
    freedom: int
    """Rows less weights: the degrees of freedom of Student's t, with which intervals are made."""
    classical: Array
    """Of residuals that are independent and spread alike everywhere; 0 for the bias of a model without."""
    robust: Array | None
    """HC3, of residuals that may spread differently from row to row; None where a row decides a weight by itself."""

    def reach(self, level: float = 0.95) -> float:
        """Standard errors from the middle of an interval of this level to its ends."""
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, (1 + level) / 2))


def standard_errors(squares: LeastSquares, blocks: Iterator[tuple[Any, Any]]) -> StandardErrors:
    """From one pass over the rows, `squares`, and a second one, x (n, features) and y (n, targets) some at a time.

    With X = QR, the thin factorisation of the columns, centred (where there is a bias) and of length 1, and residuals
    e: a row moves the weights by its residual times its row of P = Q R^-T, and has leverage h = |its row of Q|^2
    (+ 1/n). The squared errors are s^2 sum(P^2) with s^2 = e'e / (n - k), and HC3's are sum((e / (1 - h))^2 P^2):
    J. MacKinnon and H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite
    sample properties", Journal of Econometrics 29 (1985). Raises UserError where no error can be told.
    """
    optimum, d, n = squares.optimum(), squares.features, squares.rows
    weights = d + int(squares.bias)
    if not optimum.unique:
        raise UserError(
            f"standard errors: the weights are not unique, the rank is {optimum.rank} of {weights} columns; leave out "
            "inputs that are constant or follow from others"
        )
    if n <= weights:
        raise UserError(
            f"standard errors: {n} rows for {weights} weights of each target leave nothing over to tell the spread "
            "by; more rows, or fewer inputs"
        )
    columns, _, _ = squares.inner()
    length = np.linalg.norm(columns, axis=0)
    r = np.linalg.qr(columns / length, mode="r")
    inverse, unit = np.linalg.inv(r), squares.scale[:d] * length
    mean = squares.mean[: d + squares.targets] * squares.bias
    parts = np.zeros((3, squares.targets, d + 1))  # sums of P^2, of HC3, of e^2 in the last
    alone = False
    for x, y in blocks:
        x, y = as_table(x, "x").astype(np.float64), as_table(y, "y").astype(np.float64)
        centred = x - mean[:d]
        q = centred / unit @ inverse
        left = 1 - np.square(q).sum(1) - squares.bias / n
        moved = np.empty((len(x), d + 1))
        moved[:, :d] = q @ inverse.T / unit
        moved[:, d] = squares.bias / n - moved[:, :d] @ mean[:d]
        residual = (y - mean[d:] - centred @ optimum.weight.T) * (optimum.loss > 0)  # else it is rounding
        alone = alone or bool((left < ALONE).any())
        square = np.square(moved)
        parts[0] += square.sum(0)
        parts[1] += np.square(residual / np.maximum(left, ALONE)[:, None]).T @ square
        parts[2] += np.square(residual).sum(0)[:, None]
    freedom = n - weights
    classical = np.sqrt(parts[0] * parts[2] / freedom)
    return StandardErrors(optimum, freedom, classical, None if alone else np.sqrt(parts[1]))
