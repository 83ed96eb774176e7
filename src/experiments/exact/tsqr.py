"""One pass over the rows of a table, block by block, to one small triangle that least squares is read off.

The triangle is the R of a QR factorisation of [1, x, y], grown block by block (TSQR: Demmel et al.,
"Communication-optimal parallel and sequential QR and LU factorizations", 2012). Factoring the column of ones first
centres the others. Nothing here knows torch: a tensor is taken by its `.detach().cpu().numpy()`.
"""

import copy
from contextlib import nullcontext
from functools import cache
from typing import Any, Self

import numpy as np

from experiments.errors import UserError

Array = np.ndarray

BLOCK_ROWS = 4096
SPLIT_COLUMNS = 512  # below, threads that share a block wait for each other longer than they work
FOLDED_CONDITION = 1e4  # the fast way of folding rows in loses at most this factor
FOLDED_GROWTH = 25.0
SHIFT_ROWS = 1001  # rows of the first block whose median is taken off before factoring


@cache
def blas() -> Any:
    """The linear algebra below numpy, to say how many threads it may take: found once, in some milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class TSQR:
    """Takes blocks of rows [x, y] one after the other, once; keeps (k, k) numbers of k = 1 + features + targets."""

    def __init__(self) -> None:
        self.rows, self.begun = 0, False
        self.largest_row = 0.0  # the largest |x|^2 of a row

    def add(self, x: Any, y: Any) -> None:
        """Add rows: x (n, features), y (n, targets) or (n,), arrays or tensors.

        Raises UserError for other shapes.
        """
        x, y = as_table(x, "x"), as_table(y, "y")
        if len(x) != len(y):
            raise UserError(f"x has {len(x)} rows and y has {len(y)}: give one row of targets for each row of features")
        if not len(x):
            return
        if not self.begun:
            self.begin(x, y)
        elif (x.shape[1], y.shape[1]) != (self.features, self.targets):
            raise UserError(
                f"a block has {x.shape[1]} features and {y.shape[1]} targets, the blocks before it "
                f"{self.features} and {self.targets}: give every block the same columns"
            )
        few = len(x) <= self._block or len(self.shift) >= SPLIT_COLUMNS
        with nullcontext() if few else blas().limit(limits=1, user_api="blas"):
            for start in range(0, len(x), self._block):
                part = slice(start, start + self._block)
                self._take(x[part], y[part])

    def begin(self, x: Any, y: Any) -> None:
        """Choose the origin and the scales of all triangles by some rows, which are not added."""
        x, y = as_table(x, "x"), as_table(y, "y")
        self.features, self.targets, self.begun = x.shape[1], y.shape[1], True
        head = np.hstack([x[:SHIFT_ROWS].astype(np.float64), y[:SHIFT_ROWS].astype(np.float64)])
        require_finite(head)
        self.shift = np.median(head, axis=0)  # of a constant column it is that constant, so nothing is left of it
        self.scale = power_of_two(head - self.shift)
        width = 1 + self.features + self.targets
        self._block = max(BLOCK_ROWS, width)
        self._work = np.empty((width + self._block, width))
        self._filled = self._top = 0  # rows in use; of these the rows of the triangle

    def _take(self, x: Array, y: Array) -> None:
        if self._filled + len(x) > len(self._work):
            self._compress()
        rows = self._work[self._filled : self._filled + len(x)]
        d = self.features
        rows[:, 0] = 1.0
        np.subtract(x, self.shift[:d], out=rows[:, 1 : 1 + d])
        np.subtract(y, self.shift[d:], out=rows[:, 1 + d :])
        rows[:, 1:] /= self.scale
        self.largest_row = max(self.largest_row, float(np.max(squared_norms(x.astype(np.float64, copy=False)))))
        self._filled += len(x)
        self.rows += len(x)

    def _compress(self) -> None:
        """Fold the waiting rows into the triangle at the top of the work array."""
        tall = self._top == self._work.shape[1] and self._filled - self._top >= 2 * self._top
        triangle = self._folded() if tall else None
        if triangle is None:
            triangle = np.asarray(np.linalg.qr(self._work[: self._filled], mode="r"))
        require_finite(triangle)
        self._filled = self._top = len(triangle)
        self._work[: self._filled] = triangle

    def _folded(self) -> Array | None:
        """The new triangle by products instead of reflections, or None where that would cost digits.

        QR of [T; B] by the Cholesky factor of I + P'P with P = B T^-1 (CholeskyQR, preconditioned by the rows
        seen before): five times as fast, and as exact while T is well conditioned and P is not large. The
        targets are kept apart, because an exact fit would make T singular.
        """
        k = 1 + self.features
        old, rows = self._work[: self._top], self._work[self._top : self._filled]
        t, goal, rest = old[:k, :k], old[:k, k:], old[k:, k:]
        length = np.linalg.norm(t, axis=0)
        if not np.all(length > 0):
            return None
        try:
            inverse = np.linalg.inv(t / length)
        except np.linalg.LinAlgError:
            return None
        if not np.linalg.norm(inverse) * np.sqrt(k) < FOLDED_CONDITION:
            return None
        p = rows[:, :k] @ (inverse / length[:, None])
        gram = p.T @ p
        if not np.trace(gram) < FOLDED_GROWTH * k:  # also where a number is not finite
            return None
        factor = np.linalg.cholesky(np.eye(k) + gram)
        new_goal = np.linalg.solve(factor, goal + p.T @ rows[:, k:])
        fit = np.linalg.solve(factor.T, new_goal)
        left = np.linalg.qr(np.vstack([rest, goal - fit, rows[:, k:] - p @ fit]), mode="r")
        return np.block([[factor.T @ t, new_goal], [np.zeros((len(left), k)), left]])

    def joined(self, other: Any) -> Self:
        """What one pass over the rows of both finds, where both began with the same rows."""
        if not (self.rows and other.rows):
            return self if self.rows else other
        found = copy.copy(self)
        stacked = np.vstack([self.triangle(), other.triangle()])
        found._work = np.empty((len(stacked) + self._block, stacked.shape[1]))
        found._filled, found._top = len(stacked), 0
        found._work[: len(stacked)] = stacked
        found.rows = self.rows + other.rows
        found.largest_row = max(self.largest_row, other.largest_row)
        found._compress()
        return found

    def triangle(self) -> Array:
        """R of [1, (x - shift) / scale, (y - shift) / scale]; at most (1 + features + targets) rows."""
        if not self.rows:
            raise UserError("the table has no rows: give at least one")
        self._compress()
        return self._work[: self._filled].copy()

    def rescaled(self, shift: Array, scale: Array) -> Self:
        """What one pass over (column - shift) / scale of [x, y] finds; `largest_row` is left at 0.

        Stored is (column - s) / c, which is (column' - (s - shift) / scale) / (c / scale): the triangle stays.
        """
        found = copy.copy(self)
        found._work = self._work.copy()
        found.shift, found.scale, found.largest_row = (self.shift - shift) / scale, self.scale / scale, 0.0
        return found

    @property
    def mean(self) -> Array:
        """Column means of [x, y], (features + targets,)."""
        r = self.triangle()
        return self.shift + self.scale * r[0, 1:] / r[0, 0]

    @property
    def std(self) -> Array:
        """Population standard deviations (divided by n, not n - 1) of the columns of [x, y]."""
        return self.scale * np.linalg.norm(self.triangle()[1:, 1:], axis=0) / np.sqrt(self.rows)


def power_of_two(columns: Array) -> Array:
    """For each column the power of two above its largest magnitude: dividing by it is exact."""
    largest = np.max(np.abs(columns), axis=0)
    return np.where(largest > 0, np.ldexp(1.0, np.frexp(largest)[1]), 1.0)


def squared_norms(x: Array) -> Array:
    """|row|^2 of each row, in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("ij,ij->i", x, x, dtype=np.float64, casting="safe")


def as_table(values: Any, name: str) -> Array:
    """An array (n, columns) of the values of an array or a tensor; (n,) is one column. Raises UserError."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    table = np.asarray(values)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2:
        raise UserError(f"{name} has {table.ndim} dimensions: give a table, (rows, columns)")
    return table if table.dtype in (np.float32, np.float64) else table.astype(np.float64)


def require_finite(values: Array) -> None:
    """Raise UserError for NaN and infinities."""
    if not np.isfinite(values).all():
        raise UserError("the table holds NaN or infinite numbers: drop or fill them before solving")
