"""The exact answer: least squares in float64 from one pass over the rows, and how hard it is for gradient
descent.

Everything is read off one triangle: the R of a QR factorisation of [1, x, y], grown block by block (TSQR:
Demmel et al., "Communication-optimal parallel and sequential QR and LU factorizations", 2012). Factoring the
column of ones first centres the others. Nothing here knows torch: a tensor is taken by its
`.detach().cpu().numpy()`.
"""

import copy
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from experiments import extended_precision as extended
from experiments.errors import UserError

Array = np.ndarray

EPS = float(np.finfo(np.float64).eps)
BLOCK_ROWS = 4096
SPLIT_COLUMNS = 512  # below, threads that share a block wait for each other longer than they work
REFINED_NUMBERS = 500_000  # n * (features + 1), kept for refinement; more would cost more than a second
FOLDED_CONDITION = 1e4  # the fast way of folding rows in loses at most this factor
FOLDED_GROWTH = 25.0
SHIFT_ROWS = 1001  # rows of the first block whose median is taken off before factoring


@cache
def blas() -> Any:
    """The linear algebra below numpy, to say how many threads it may take: found once, in some milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


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


class LeastSquares:
    """Takes blocks of rows one after the other, once, and knows the optimum of all rows seen.

    Keeps (k, k) numbers, and the rows themselves as long as there are few, so that the optimum of a small table is
    exact to the last digits however its rows arrived.
    """

    def __init__(self, bias: bool = True) -> None:
        self.bias = bias
        self.rows = 0
        self.largest_row = 0.0  # the largest |x|^2 of a row
        self._kept: list[tuple[Array, Array]] | None = []  # all the rows, or None where they are many
        self._refined: Optimum | None = None

    def add(self, x: Any, y: Any) -> None:
        """Add rows: x (n, features), y (n, targets) or (n,), arrays or tensors.

        Raises UserError for other shapes.
        """
        x, y = as_table(x, "x"), as_table(y, "y")
        if len(x) != len(y):
            raise UserError(f"x has {len(x)} rows and y has {len(y)}: give one row of targets for each row of features")
        if not len(x):
            return
        if not self.rows:
            self._begin(x, y)
        elif (x.shape[1], y.shape[1]) != (self.features, self.targets):
            raise UserError(
                f"a block has {x.shape[1]} features and {y.shape[1]} targets, the blocks before it "
                f"{self.features} and {self.targets}: give every block the same columns"
            )
        self._keep(x, y)
        few = len(x) <= self._block or len(self.shift) >= SPLIT_COLUMNS
        with nullcontext() if few else blas().limit(limits=1, user_api="blas"):
            for start in range(0, len(x), self._block):
                part = slice(start, start + self._block)
                self._take(x[part], y[part])

    def _begin(self, x: Array, y: Array) -> None:
        self.features, self.targets = x.shape[1], y.shape[1]
        head = np.hstack([x[:SHIFT_ROWS].astype(np.float64), y[:SHIFT_ROWS].astype(np.float64)])
        require_finite(head)
        self.shift = np.median(head, axis=0)  # of a constant column it is that constant, so nothing is left of it
        self.scale = power_of_two(head - self.shift)
        width = 1 + self.features + self.targets
        self._block = max(BLOCK_ROWS, width)
        self._work = np.empty((width + self._block, width))
        self._filled = self._top = 0  # rows in use; of these the rows of the triangle

    def _keep(self, x: Array, y: Array) -> None:
        """Keep these rows too, or let all go where they are more than would be refined."""
        self._refined = None
        if self._kept is not None and (self.rows + len(x)) * (self.features + 1) <= REFINED_NUMBERS:
            self._kept.append((x.astype(np.float64), y.astype(np.float64)))
        else:
            self._kept = None

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
        triangle = self._folded() if self._tall() else None
        if triangle is None:
            triangle = np.asarray(np.linalg.qr(self._work[: self._filled], mode="r"))
        require_finite(triangle)
        self._filled = self._top = len(triangle)
        self._work[: self._filled] = triangle

    def _tall(self) -> bool:
        return self._top == self._work.shape[1] and self._filled - self._top >= 2 * self._top

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

    def triangle(self) -> Array:
        """R of [1, (x - shift) / scale, (y - shift) / scale]; at most (1 + features + targets) rows."""
        if not self.rows:
            raise UserError("the table has no rows: give at least one")
        self._compress()
        return self._work[: self._filled].copy()

    def rescaled(self, shift: Array, scale: Array) -> "LeastSquares":
        """What one pass over (column - shift) / scale of [x, y] finds; `largest_row` is left at 0.

        Stored is (column - s) / c, which is (column' - (s - shift) / scale) / (c / scale): the triangle stays.
        """
        found = copy.copy(self)
        found._work, found._kept, found._refined = self._work.copy(), None, None
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
                found = refined(x, y, self.mean, found, self.bias)
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


def decomposed(columns: Array) -> tuple[Array, Array, Array]:
    """The singular value decomposition (u, s, vt). Raises UserError for numbers too large to be squared."""
    try:
        return np.linalg.svd(columns, full_matrices=False)
    except np.linalg.LinAlgError:
        raise UserError(
            "the table's numbers are too large for least squares, their squares are beyond 1.8e308; "
            "divide the columns by a power of ten"
        ) from None


def minimum_norm(columns: Array, goal: Array, offset: Array, scale: Array, n: int) -> tuple[Array, int]:
    """Solution (features, targets) of columns @ w = goal and the rank; smallest norm of w / scale when short.

    Columns are brought to length 1; a direction counts as null when its singular value is below 16 eps
    (max(features, sqrt(n)) s_max + |v * cancellation|), where v is the direction and `cancellation` is, for
    each column, its length before over after centring: what rounding of the values as given can do. Filip's
    smallest, about 1e-10, stands far above it.
    """
    d = columns.shape[1]
    length = np.linalg.norm(columns, axis=0)
    before = np.hypot(length, np.sqrt(n) * np.abs(offset))
    varies = length > 8 * EPS * before
    length, before = np.where(varies, length, 1.0), np.where(varies, before, 1.0)
    unit = np.where(varies, columns, 0.0) / length
    if not varies.any() or not len(columns):
        return np.zeros((d, goal.shape[1])), 0
    cancellation, largest = before / length, max(d, np.sqrt(n))
    u, s, vt = decomposed(unit)
    kept = s > 16 * EPS * (largest * s[0] + np.linalg.norm(vt * cancellation, axis=1))
    rank = int(kept.sum())
    fit = u[:, kept].T @ goal / s[kept, None]
    v = vt[kept].T
    if rank == d:
        return v @ fit / length[:, None], rank
    # original weights live in the row space diag(length * scale) V = QR: Q R^-T fit has no null part
    spread = length * scale
    q, r = np.linalg.qr(v * spread[:, None])
    scaled = (q @ np.linalg.solve(r.T, fit)) * spread[:, None]
    scaled += v @ (fit - v.T @ scaled)  # columns of very different units: restore the fit to full precision
    return scaled / length[:, None], rank


def refined(x: Array, y: Array, mean: Array, found: Optimum, bias: bool) -> Optimum:
    """`found`, a unique optimum, to the last digits: the centred columns are kept exactly, as pairs."""
    n, d = x.shape
    middle = mean[:d] if bias else np.zeros(d)
    high, low = extended.two_sum(x, -middle)
    scale, goal_scale = power_of_two(high), power_of_two(y)
    columns = (high / scale, low / scale)
    if bias:
        columns = (np.hstack([columns[0], np.ones((n, 1))]), np.hstack([columns[1], np.zeros((n, 1))]))
    weight, offset, squares = np.zeros_like(found.weight), np.zeros_like(found.bias), 0.0
    for t, unit in enumerate(goal_scale):
        (c, c_low), (residual, _) = extended.refine(columns, y[:, t] / unit)
        weight[t] = c[:d] / scale * unit
        squares += float(np.sum((residual * unit) ** 2))
        if bias:
            at_zero = extended.multiply((c[:d], c_low[:d]), (-middle / scale, np.zeros(d)))
            at_zero = extended.add(extended.total(at_zero), (c[d], c_low[d])) if d else (c[d], c_low[d])
            offset[t] = at_zero[0] * unit
    loss = squares / y.size
    noise = 8 * EPS * float(np.linalg.norm(y)) / np.sqrt(y.size)
    return Optimum(weight, offset, loss if loss > noise**2 else 0.0, found.rank, True)


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
    if not np.isfinite(values).all():
        raise UserError("the table holds NaN or infinite numbers: drop or fill them before solving")
