"""The exact optimum of losses that outliers pull less at: the mean absolute error, and Huber's.

Both fall apart into one problem for each target, and are solved in an orthonormal basis of what the model can say, on
the residuals of least squares: there no units, no collinear columns and no large means are left. The weights of the
fitted values are then those of least squares.

The method is Newton's, which is finite on a function that is quadratic in pieces, with Huber's bound going down to
delta, or to where the mean absolute error takes over: K. Madsen and H. B. Nielsen, "Finite algorithms for robust linear
regression", BIT 30 (1990), and "A finite smoothing algorithm for linear l1 estimation", SIAM J. Optim. 3 (1993). A
linear program would do for the latter too; scipy's takes three to six times as long on 20,000 rows of 100 features.
"""

from typing import Any

import numpy as np

from experiments.exact.minimum_norm import EPS, orthonormal_basis
from experiments.exact.optimum import LeastSquares
from experiments.exact.solution import TOO_LARGE, NoOptimum, Optimum
from experiments.exact.tsqr import Array, as_table, blas

LARGEST = 10_000_000
"""Numbers of a table (rows * (features + 1)) whose optimum takes some seconds."""
STEPS = 1000
CERTAIN = 1e-13
"""The share by which a loss may be above the smallest one; duality tells."""


def absolute_optimum(x: Any, y: Any, bias: bool = True) -> Optimum | NoOptimum:
    """The smallest mean absolute error of y (n, targets) on x (n, features), arrays or tensors, over all elements.

    It is proved by the dual to 13 digits. `unique` is True where that is proved too; otherwise the model is one of
    those that reach the loss. NoOptimum for tables above LARGEST. Raises UserError for shapes that do not fit, no
    rows, NaN or infinities.
    """
    return _optimum(x, y, 0.0, bias)


def huber_optimum(x: Any, y: Any, delta: float, bias: bool = True) -> Optimum | NoOptimum:
    """The smallest mean of Huber's loss, see `losses.Huber`, with `delta` in the units of y, the same for all targets.

    Otherwise as `absolute_optimum`.
    """
    return _optimum(x, y, delta, bias)


def huber(residual: Array, delta: float) -> Array:
    """Huber's loss of each residual: squared / 2 up to delta, then delta * (|residual| - delta / 2)."""
    inner = np.clip(residual, -delta, delta)
    return inner * (residual - inner / 2)


def _optimum(x: Any, y: Any, delta: float, bias: bool) -> Optimum | NoOptimum:
    """A delta of 0 stands for the mean absolute error."""
    x, y = as_table(x, "x").astype(np.float64), as_table(y, "y").astype(np.float64)
    if x.shape[0] * (x.shape[1] + 1) > LARGEST:
        return NoOptimum(
            f"the exact optimum of this loss is worked out for tables of up to {LARGEST:,} numbers, rows times "
            f"columns; here are {len(x):,} rows of {x.shape[1]:,} features"
        )
    with blas().limit(limits=1, user_api="blas"):  # threads of small products wait for each other on a busy machine
        return _each_target(x, y, delta, bias)


@np.errstate(over="ignore")
def _each_target(x: Array, y: Array, delta: float, bias: bool) -> Optimum | NoOptimum:
    """One target after the other; a delta of 0 stands for the mean absolute error."""
    squares = LeastSquares(bias)
    squares.add(x, y)
    given = squares.factored()  # which also refuses what is no table of finite numbers
    basis = orthonormal_basis(x, bias)
    level = np.median(y, axis=0) * bias  # taken off without rounding: small residuals on a large mean keep their digits
    goal = y - level
    residual = goal - basis @ (basis.T @ goal)
    residual -= basis @ (basis.T @ residual)
    unique = given.unique
    for column, size in zip(residual.T, np.max(np.abs(y), axis=0), strict=True):
        unit = float(np.mean(np.abs(column)))
        if unit <= 8 * EPS * size:  # fitted exactly
            column[:] = 0.0
        if not column.any() or not basis.shape[1]:
            continue
        bound = delta / unit
        found = _smallest(basis, column / unit, bound if bound > 1e-12 else 0.0)  # below, absolute to twelve digits
        if found is None:
            return NoOptimum(f"the optimum of this loss was not found in {STEPS} steps of Newton's method")
        column[:] = found[0] * unit
        unique &= found[1]
    squares = LeastSquares(bias)
    squares.add(x, goal - residual)
    fitted = squares.factored()
    loss = float(np.mean(huber(residual, delta) if delta > 0 else np.abs(residual)))
    if not np.isfinite(loss):
        return NoOptimum(TOO_LARGE)
    return Optimum(fitted.weight, fitted.bias + level, loss, fitted.rank, unique, loss)


def _smallest(basis: Array, left: Array, delta: float) -> tuple[Array, bool] | None:
    """The residuals (n,) of the smallest loss, from others, `left`, of mean size 1; and whether no other model has it.

    Each bound starts from the optimum of the one before, thirty times as large.
    """
    bound = max(delta, 1.0)
    for _ in range(STEPS):
        step, dual, gap = _newton_step(basis, left, bound)
        if gap > CERTAIN * float(np.sum(huber(left, bound))):
            move = basis @ step
            left = left - _lowest(left, move, bound) * move
            continue
        if bound == delta:
            inner = np.abs(left) < bound * (1 - 1e-9)
            return left - basis @ step, _spanning(basis[inner])
        if delta == 0 and (through := _absolute(basis, left, dual, bound)):
            return through
        bound = max(delta, bound / 30)
    return None


def _newton_step(basis: Array, left: Array, bound: float) -> tuple[Array, Array, float]:
    """The step (k,) towards the smallest loss, a dual point (n,), and how far above it the loss can be.

    Where the loss has no curvature along a part of its gradient, that part is the step, and nothing is known: inf.
    Otherwise the dual, max goal'a - a'a / 2 over basis'a = 0 and |a| <= bound, holds the loss from below: a is the
    clipped residual, less basis @ step where it is not clipped.
    """
    inner = np.abs(left) <= bound
    a = np.clip(left, -bound, bound)
    downhill = basis.T @ a
    curvature, axes = np.linalg.eigh(basis[inner].T @ basis[inner])
    along = axes.T @ downhill
    flat = curvature <= 1e-14 * curvature[-1]
    if np.linalg.norm(along[flat]) > 1e-10 * np.linalg.norm(a):
        return axes[:, flat] @ along[flat], a, np.inf
    step = axes[:, ~flat] @ (along[~flat] / curvature[~flat])
    a[inner] -= basis[inner] @ step
    a /= max(1.0, float(np.max(np.abs(a))) / bound)
    return step, a, float(np.sum(huber(left, bound) - left * a + a * a / 2))


def _lowest(left: Array, move: Array, bound: float) -> float:
    """The t >= 0 with the smallest sum of huber(left - t * move), from the ends of its quadratic pieces, in order."""
    left, move = left[move != 0], move[move != 0]
    curvature = np.tile(move**2, 2) * np.repeat([1.0, -1.0], len(move))  # a row's begins, and ends
    ends = np.concatenate([(left - bound * np.sign(move)) / move, (left + bound * np.sign(move)) / move])
    ahead = ends > 0
    order = np.argsort(ends[ahead])
    at = np.r_[0.0, ends[ahead][order]]
    bend = float(np.sum(curvature[~ahead])) + np.r_[0.0, np.cumsum(curvature[ahead][order])]
    slope = -float(np.clip(left, -bound, bound) @ move) + np.r_[0.0, np.cumsum(bend[:-1] * np.diff(at))]
    level = -4 * EPS * bound * float(np.sum(np.abs(move)))  # the slope only grows; zero, but for rounding
    end = max(1, int(np.argmax(slope >= level)))
    return float(at[end - 1] + min(at[end] - at[end - 1], -slope[end - 1] / max(bend[end - 1], 1e-300)))


def _absolute(basis: Array, left: Array, dual: Array, bound: float) -> tuple[Array, bool] | None:
    """What `_smallest` gives for the mean absolute error, if it goes through all rows that are within the bound.

    The dual is max goal'a over basis'a = 0 and |a| <= 1.
    """
    on = np.abs(left) <= bound
    residual = left - basis @ np.linalg.lstsq(basis[on], left[on], rcond=None)[0]
    total = float(np.sum(np.abs(residual)))
    if not total - float(residual @ dual) / bound <= CERTAIN * total:
        return None
    return residual, _spanning(basis[np.abs(dual) < bound * (1 - 1e-9)])


def _spanning(rows: Array) -> bool:
    """Whether rows (m, k) leave no direction out."""
    return int(np.linalg.matrix_rank(rows)) == rows.shape[1]
