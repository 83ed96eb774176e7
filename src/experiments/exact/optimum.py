"""The exact answer: least squares in float64 from one pass over the rows, and how hard it is for gradient descent."""

from typing import Any, Self

import numpy as np

from experiments.exact.minimum_norm import EPS, minimum_norm, svd
from experiments.exact.refinement import refined
from experiments.exact.solution import Conditioning, Optimum
from experiments.exact.tsqr import TSQR, Array, as_table

REFINED_NUMBERS = 500_000  # n * (features + 1), kept for refinement; more would cost more than a second


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

    def joined(self, other: Any) -> Self:
        """As `TSQR.joined`; the rows are kept where all are few."""
        found, kept = super().joined(other), None
        if self._kept is not None and other._kept is not None:
            kept = self._kept + other._kept
        found._kept = kept if found.rows * (found.features + 1) <= REFINED_NUMBERS else None
        found._refined = None
        return found

    def rescaled(self, shift: Array, scale: Array) -> Self:
        """As `TSQR.rescaled`; the rows are not kept."""
        found = super().rescaled(shift, scale)
        found._kept, found._refined = None, None
        return found

    def fitted_columns(self, standardized: bool = False, l2: float = 0.0) -> tuple[Array, Array]:
        """(A, B) with the singular values and inner products of the model's columns [x, 1] and of y.

        A is (k, features + bias), B is (k, targets). Standardised means x and y centred and divided by their
        population deviation (constant columns stay zero), which is also what it means without a bias. With `l2`,
        |A w - B|^2 is rows * targets times the penalised loss: a row for each weight asks it to be 0.
        """
        r, d = self.triangle(), self.features
        shifted, ones = r[:, 1:], r[:, :1]
        if standardized:
            deviation = np.linalg.norm(shifted[1:], axis=0) / np.sqrt(self.rows)
            columns = np.vstack([np.zeros((1, shifted.shape[1])), shifted[1:] / np.where(deviation > 0, deviation, 1)])
        else:
            columns = shifted * self.scale + ones * self.shift
        a = np.hstack([columns[:, :d], ones]) if self.bias else columns[:, :d]
        b = columns[:, d:]
        if l2 > 0:
            a = np.vstack([a, np.sqrt(l2 * self.rows * self.targets) * np.eye(d, a.shape[1])])
            b = np.vstack([b, np.zeros((d, self.targets))])
        return a, b

    @np.errstate(over="ignore")
    def optimum(self) -> Optimum:
        """The minimiser in original units, refined where the rows are kept; see `solve`."""
        if self._refined is None:
            found = self.factored()
            if found.unique and self._kept:
                x, y = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
                weight, bias, loss = refined(x, y, self.mean[: self.features], self.bias)
                found = Optimum(weight, bias, loss, found.rank, True, loss)
            self._refined = found
        return self._refined

    def inner(self) -> tuple[Array, Array, Array]:
        """A (k, features), B (k, targets), offset: with the best bias, w has the loss |B - A w|^2 / (rows * targets).

        A and B are centred where there is a bias, and divided by `scale`; `offset`, (features + targets,), is what
        centring took off each column, divided likewise.
        """
        r, d = self.triangle(), self.features
        if self.bias:
            inner, offset = r[1:, 1:], r[0, 1:] / r[0, 0] + self.shift / self.scale
        else:
            inner, offset = r[:, 1:] + r[:, :1] * (self.shift / self.scale), np.zeros(len(self.scale))
        return inner[:, :d], inner[:, d:], offset

    @np.errstate(over="ignore")
    def mean_square(self, misfit: Array) -> float:
        """|misfit|^2 / (rows * targets), or 0.0 where that can be the rounding of y alone."""
        size = float(np.sqrt(self.rows * self.targets))
        d = self.features
        spread = self.scale[d:] * np.linalg.norm(self.triangle()[:, 1 + d :], axis=0)
        full = spread + np.sqrt(self.rows) * np.abs(self.shift[d:])  # bounds the length of y itself
        noise = 8 * EPS * float(np.linalg.norm(full)) / size
        loss = float(np.square(np.linalg.norm(misfit) / size))
        return 0.0 if loss <= noise**2 < np.inf else loss

    def best_bias(self, weight: Array) -> Array:
        """The bias (targets,) that goes with weight (targets, features); zeros without bias."""
        mean = self.mean
        return mean[self.features :] - weight @ mean[: self.features] if self.bias else np.zeros(self.targets)

    def factored(self) -> Optimum:
        """The minimiser that the triangle alone gives."""
        columns, goal, offset = self.inner()
        d = self.features
        scaled, rank = minimum_norm(columns, goal, offset[:d], self.scale[:d], self.rows)
        weight = (scaled * self.scale[d:] / self.scale[:d, None]).T
        loss = self.mean_square((goal - columns @ scaled) * self.scale[d:])
        return Optimum(weight, self.best_bias(weight), loss, rank + int(self.bias), rank == d, loss)

    def conditioning(self, standardized: bool = False, l2: float = 0.0) -> Conditioning:
        """Eigenvalues of the Hessian as trained, with its penalty; `standardized`: of the standardised columns."""
        columns, _ = self.fitted_columns(standardized, l2)
        k = columns.shape[1]
        rank = k if l2 > 0 else self.factored().rank
        values = np.zeros(k)
        _, found, _ = svd(columns)
        values[: len(found)] = found
        if rank == k and found[-1] < 1e-6 * found[0]:
            # the small ones are lost in the rounding of the large ones: take them from the inverse
            square = np.linalg.qr(columns, mode="r")
            small = 1 / np.linalg.svd(np.linalg.inv(square), compute_uv=False)[::-1]
            values = np.where(values < 1e-6 * found[0], small, values)
        values[rank:] = 0.0
        with np.errstate(over="ignore"):
            eigenvalues = 2 / (self.rows * self.targets) * values[::-1] ** 2
        return Conditioning(eigenvalues, float(eigenvalues[-1]), rank)


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


def columns_alone(x: Any, targets: int, bias: bool = True) -> LeastSquares:
    """One pass over x (n, features) for what depends on its columns only; all `targets` are zero."""
    x = as_table(x, "x")
    found = LeastSquares(bias)
    found.add(x, np.broadcast_to(np.zeros(1), (len(x), targets)))
    return found
