"""The exact answer: least squares in float64 from one pass over the rows, and how hard it is for gradient descent."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from experiments.exact.minimum_norm import EPS, decomposed, minimum_norm
from experiments.exact.refinement import refined
from experiments.exact.tsqr import TSQR, as_table

Array = np.ndarray

REFINED_NUMBERS = 500_000  # n * (features + 1), kept for refinement; more would cost more than a second


@dataclass(frozen=True)
class Optimum:
    """The smallest possible mean squared error and where it is reached, in the table's original units."""

    weight: Array  # (targets, features) float64
    bias: Array  # (targets,) float64; zeros without bias
    loss: float  # mean over all elements; 0.0 where it is only the rounding of y
    rank: int  # of the model's columns, [x 1] with a bias
    unique: bool


@dataclass(frozen=True)
class Conditioning:
    """The Hessian of the mean squared error of one target: 2 / (n * targets) * [x 1]' [x 1]."""

    eigenvalues: Array  # (features + 1,) ascending; (features,) without bias
    lambda_max: float
    condition_number: float  # inf when the rank is short
    max_stable_lr: float  # 2 / lambda_max: full-batch gradient descent converges below it
    rank: int


class LeastSquares(TSQR):
    """Takes blocks of rows one after the other, once, and knows the optimum of all rows seen.

    Besides the triangle it keeps the rows themselves as long as there are few, so that the optimum of a small table is
    exact to the last digits however its rows arrived.
    """

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.bias = bias
        self._kept: list[tuple[Array, Array]] | None = []  # all the rows, or None where they are many
        self._refined: Optimum | None = None

    def add(self, x: Any, y: Any) -> None:
        """Add rows, as `TSQR.add`; keep them too, or let all go where they are more than would be refined."""
        x, y = as_table(x, "x"), as_table(y, "y")
        super().add(x, y)
        if not len(x):
            return
        self._refined = None
        if self._kept is not None and self.rows * (self.features + 1) <= REFINED_NUMBERS:
            self._kept.append((x.astype(np.float64), y.astype(np.float64)))
        else:
            self._kept = None

    def rescaled(self, shift: Array, scale: Array) -> Self:
        """As `TSQR.rescaled`; the rows are not kept."""
        found = super().rescaled(shift, scale)
        found._kept, found._refined = None, None
        return found

    def fitted_columns(self, standardized: bool = False) -> tuple[Array, Array]:
        """(A, B) with the singular values and inner products of the model's columns [x, 1] and of y.

        A is (k, features + bias), B is (k, targets). Standardised means x and y centred and divided by their
        population deviation (constant columns stay zero), which is also what it means without a bias.
        """
        r, d = self.triangle(), self.features
        shifted, ones = r[:, 1:], r[:, :1]
        if standardized:
            deviation = np.linalg.norm(shifted[1:], axis=0) / np.sqrt(self.rows)
            columns = np.vstack([np.zeros((1, shifted.shape[1])), shifted[1:] / np.where(deviation > 0, deviation, 1)])
        else:
            columns = shifted * self.scale + ones * self.shift
        a = np.hstack([columns[:, :d], ones]) if self.bias else columns[:, :d]
        return a, columns[:, d:]

    def optimum(self) -> Optimum:
        """The minimiser in original units, refined where the rows are kept; see `solve`."""
        if self._refined is None:
            found = self._factored()
            if found.unique and self._kept:
                x, y = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
                weight, bias, loss = refined(x, y, self.mean[: self.features], self.bias)
                found = Optimum(weight, bias, loss, found.rank, True)
            self._refined = found
        return self._refined

    def _factored(self) -> Optimum:
        """The minimiser that the triangle alone gives."""
        r, d = self.triangle(), self.features
        if self.bias:
            inner, offset = r[1:, 1:], r[0, 1:] / r[0, 0] + self.shift / self.scale
        else:
            inner, offset = r[:, 1:] + r[:, :1] * (self.shift / self.scale), np.zeros(len(self.scale))
        columns, goal = inner[:, :d], inner[:, d:]
        scaled, rank = minimum_norm(columns, goal, offset[:d], self.scale[:d], self.rows)
        misfit = (goal - columns @ scaled) * self.scale[d:]
        weight = (scaled * self.scale[d:] / self.scale[:d, None]).T
        mean = self.mean
        bias = mean[d:] - weight @ mean[:d] if self.bias else np.zeros(self.targets)
        size = float(np.sqrt(self.rows * self.targets))
        spread = self.scale[d:] * np.linalg.norm(r[:, 1 + d :], axis=0)
        full = spread + np.sqrt(self.rows) * np.abs(self.shift[d:])  # bounds the length of y itself
        noise = 8 * EPS * float(np.linalg.norm(full)) / size
        loss = (float(np.linalg.norm(misfit)) / size) ** 2
        loss = loss if loss > noise**2 else 0.0
        return Optimum(weight, bias, loss, rank + int(self.bias), rank == d)

    def conditioning(self, standardized: bool = False) -> Conditioning:
        """Eigenvalues of the Hessian as trained; with `standardized` that of the standardised columns."""
        columns, _ = self.fitted_columns(standardized)
        k = columns.shape[1]
        rank = self._factored().rank
        values = np.zeros(k)
        _, found, _ = decomposed(columns)
        values[: len(found)] = found
        if rank == k and found[-1] < 1e-6 * found[0]:
            # the small ones are lost in the rounding of the large ones: take them from the inverse
            square = np.linalg.qr(columns, mode="r")
            small = 1 / np.linalg.svd(np.linalg.inv(square), compute_uv=False)[::-1]
            values = np.where(values < 1e-6 * found[0], small, values)
        values[rank:] = 0.0
        with np.errstate(over="ignore"):
            eigenvalues = 2 / (self.rows * self.targets) * values[::-1] ** 2
        top, bottom = float(eigenvalues[-1]), float(eigenvalues[0])
        return Conditioning(
            eigenvalues, top, top / bottom if bottom > 0 else np.inf, 2 / top if top > 0 else np.inf, rank
        )


def solve(x: Any, y: Any, bias: bool = True) -> Optimum:
    """Least squares of y (n, targets) on x (n, features), arrays or tensors of float32 or float64, taken as
    exact.

    Tables of up to REFINED_NUMBERS numbers are refined to the last digits of float64. When the rank is short
    (or there are more features than rows) `weight` is, among all minimisers, the one of smallest Euclidean
    norm in the ORIGINAL units, row by row; the bias follows from it and is not part of the norm.
    `minimum_norm` states the tolerance. Raises UserError for shapes that do not fit, no rows, NaN or
    infinities.
    """
    x, y = as_table(x, "x"), as_table(y, "y")
    data = LeastSquares(bias)
    data.add(x, y)
    return data.optimum()


def conditioning(x: Any, targets: int, bias: bool = True, standardized: bool = False) -> Conditioning:
    """Conditioning of the loss over x (n, features) for a model of `targets` outputs."""
    x = as_table(x, "x")
    data = LeastSquares(bias)
    data.add(x, np.broadcast_to(np.zeros(1), (len(x), targets)))
    return data.conditioning(standardized)
