"""The exact optimum of logistic regression, of two classes or many (softmax), by Newton's method."""

from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.exact.cross_entropy import hessian, outputs_of, shifted, slopes, value
from experiments.exact.minimum_norm import EPS, orthonormal_basis
from experiments.exact.optimum import LeastSquares
from experiments.exact.separation import separable, separated_by
from experiments.exact.solution import NoOptimum, Optimum, Penalty
from experiments.exact.tsqr import Array, as_table, blas, power_of_two, require_finite

LARGEST_HESSIAN, COSTLIEST_HESSIAN = 2000, 10**10
"""Parameters, and rows * parameters^2, of a Hessian that is built as a whole; products with it do for more."""
LARGEST = 25_000_000
"""Rows * (features + 1) * outputs whose optimum takes some seconds."""
STEPS = 100
DOUBT = 15
"""Steps after which it is asked whether the classes can be separated; where they cannot, fewer mostly suffice."""
FARTHEST = 8.0
"""By how much one step may change a logit: farther away its quadratic says nothing about the loss."""
SEPARABLE = "no finite optimum: the classes can be separated; add loss.l2=1e-4"


def logistic_optimum(x: Any, q: Array, penalty: Penalty, bias: bool = True) -> Optimum | NoOptimum:
    """The smallest cross entropy plus l2 * sum(w^2) of rows x (n, features) as trained, an array or a tensor.

    q (n, classes) is what `cross_entropy.shares` gives for the rows' labels.

    The gradient at the optimum is zero but for rounding, and the loss is so to the last digits. Without a penalty the
    weights are, among those that reach it, the smallest in the units of x; what softmax cannot see, a shift of all
    classes, is taken off the weights and the biases.

    NoOptimum where classes can be separated and nothing is penalised, where no row has one of the classes and there
    is a bias, for tables above LARGEST, and for a penalty of l1. Raises UserError for another number of rows, NaN or
    infinities.
    """
    x, outputs = as_table(x, "x").astype(np.float64), outputs_of(q.shape[1])
    require_finite(x)
    if len(x) != len(q):
        raise UserError(f"x has {len(x)} rows and there are {len(q)} labels: give one label for each row of features")
    if penalty.l1 > 0:
        return NoOptimum("of classes it is worked out with loss.l2, not with loss.l1")
    if (unknown := too_large(len(x), x.shape[1], outputs)) is not None:
        return unknown
    missing = np.flatnonzero(np.sum(q, axis=0) == 0)
    if bias and len(missing):
        return NoOptimum(
            f"no finite optimum: no training row counts as class {missing[0]} of 0 to {q.shape[1] - 1}, so its bias "
            "falls for ever; leave the class out, or train on rows that have it"
        )
    counting = np.sum(q, axis=1) > 0
    with blas().limit(limits=1, user_api="blas"):  # threads of small products wait for each other on a busy machine
        if penalty.l2 > 0:
            return _penalized(x[counting], q[counting], penalty, bias)
        return _unpenalized(x[counting], q[counting], bias)


def too_large(rows: int, features: int, outputs: int) -> NoOptimum | None:
    """What is said of a table above LARGEST."""
    if rows * (features + 1) * outputs <= LARGEST:
        return None
    return NoOptimum(
        f"of classes it is worked out for up to {LARGEST:,} numbers, rows times columns times "
        f"outputs; here are {rows:,} rows of {features:,} features and {outputs} outputs"
    )


def _unpenalized(x: Array, q: Array, bias: bool) -> Optimum | NoOptimum:
    """In an orthonormal basis of what the model can say, where no units and no collinear columns are left."""
    basis = orthonormal_basis(x, bias)
    found = _newton(basis, q, np.zeros(basis.shape[1]))
    if isinstance(found, NoOptimum):
        return found
    logits = basis @ found
    squares = LeastSquares(bias)
    squares.add(x, logits)
    best, loss = squares.factored(), value(logits, q)
    return Optimum(best.weight, best.bias, loss, best.rank, best.unique, loss)


def _penalized(x: Array, q: Array, penalty: Penalty, bias: bool) -> Optimum | NoOptimum:
    """With centred columns of length 1, and no more of them than there are rows."""
    mean = np.mean(x, axis=0) * bias
    columns = x - mean
    turned = np.linalg.qr(columns.T)[0] if x.shape[1] > len(x) else None  # the weights lie in the span of the rows
    if turned is not None:
        columns = columns @ turned
    unit = power_of_two(columns)
    length = unit * np.linalg.norm(columns / unit, axis=0)
    length[length < 1e-150] = 1.0  # nothing, beside a penalty
    a, d = columns / length, columns.shape[1]
    if bias:
        a = np.hstack([a, np.full((len(x), 1), 1 / np.sqrt(len(x)))])
    costs = np.zeros(a.shape[1])
    costs[:d] = penalty.l2 / length / length
    found = _newton(a, q, costs)
    if isinstance(found, NoOptimum):
        return found
    weight = found[:d] / length[:, None]
    weight = (weight if turned is None else turned @ weight).T
    level = found[d] / np.sqrt(len(x)) - weight @ mean if bias else np.zeros(len(weight))
    squares = LeastSquares(bias)
    squares.add(x, np.zeros(len(x)))
    data_loss = value(a @ found, q)
    return Optimum(weight, level, data_loss + penalty.of(weight), squares.factored().rank, True, data_loss)


def _newton(a: Array, q: Array, costs: Array) -> Array | NoOptimum:
    """Coefficients (k, outputs) of the smallest value(a @ c, q) + sum(costs * c^2), with columns a (n, k)."""
    c = np.zeros((a.shape[1], outputs_of(q.shape[1])))
    bounded = bool(np.any(costs > 0) or np.all(q > 0))
    last = np.inf
    for step in range(STEPS):
        logits = a @ c
        if not bounded and separated_by(shifted(logits, q.shape[1])[0], q):
            return NoOptimum(SEPARABLE, falls_to=0.0)
        if not bounded and step == DOUBT and separable(a, q):
            return NoOptimum(SEPARABLE)
        now = value(logits, q) + float(costs @ np.sum(c**2, axis=1))
        slope, p = slopes(logits, q)
        uphill = a.T @ slope + 2 * costs[:, None] * c
        move = _newton_step(a, p, q, costs, uphill)
        fall = float(np.sum(uphill * move))  # twice what the loss is above its smallest, nearby
        c = c - _share(a, q, costs, c, move, now, fall) * move
        if fall <= 1e-24 * now or (fall <= 1e-16 * now and fall > last / 4):
            return c
        last = fall
    return NoOptimum(f"the optimum was not found in {STEPS} steps of Newton's method; perhaps classes can be separated")


def _share(a: Array, q: Array, costs: Array, c: Array, move: Array, now: float, fall: float) -> float:
    """How much of the step is taken: what is near, or half of it until the loss falls by enough (L. Armijo, 1966)."""
    share = 1 / max(1.0, float(np.max(np.abs(a @ move), initial=0.0)) / FARTHEST)
    while share > 1e-10:
        moved = c - share * move
        then = value(a @ moved, q) + float(costs @ np.sum(moved**2, axis=1))
        if then <= now - 1e-4 * share * fall + 4 * EPS * now:
            return share
        share /= 2
    return 0.0


def _newton_step(a: Array, p: Array, q: Array, costs: Array, uphill: Array) -> Array:
    """(Hessian)^-1 @ uphill, (k, outputs).

    Softmax has no curvature along a shift of all its outputs. Since `uphill` has no part along it, curvature may be
    given to it without changing the step.
    """
    k, outputs = uphill.shape
    if k * outputs > LARGEST_HESSIAN or len(a) * (k * outputs) ** 2 > COSTLIEST_HESSIAN:
        return _seen(_conjugate_gradients(a, p, q, costs, uphill))
    h = hessian(a, p, q, extra=1 / outputs**2 if outputs > 1 else 0.0)
    h[np.diag_indices_from(h)] += np.tile(2 * costs, outputs)
    scale = 1 / np.sqrt(np.maximum(np.diag(h), 1e-300))
    h *= scale * scale[:, None]
    solved = np.linalg.solve(_definite(h), scale * uphill.T.ravel())
    return _seen((scale * solved).reshape(outputs, k).T)


def _seen(move: Array) -> Array:
    """(k, outputs) without what rounding adds of a shift of all outputs."""
    return move - np.mean(move, axis=1, keepdims=True) if move.shape[1] > 1 else move


def _definite(h: Array) -> Array:
    """h with its diagonal, or as much more of it as makes h positive in floating point."""
    diagonal = np.diag(np.diag(h))
    for more in (0.0, 1e-14, 1e-12, 1e-10):
        try:
            np.linalg.cholesky(h + more * diagonal)
        except np.linalg.LinAlgError:
            continue
        return h + more * diagonal
    return h + 1e-8 * diagonal


def _conjugate_gradients(a: Array, p: Array, q: Array, costs: Array, uphill: Array) -> Array:
    """The step to four digits, from products with the Hessian, preconditioned by what it is for equal probabilities."""
    t = np.sum(q, axis=1, keepdims=True)
    two, even = p.shape[1] == 2, 1 / p.shape[1]

    def product(v: Array) -> Array:
        u = a @ v
        bent = p[:, :1] * p[:, 1:] * u if two else p * (u - np.sum(p * u, axis=1, keepdims=True))
        return a.T @ (t * bent) + 2 * costs[:, None] * v

    inverse = np.linalg.inv(_definite(even * (1 - even) * (a.T @ (a * t)) + np.diag(2 * costs)))
    found, left = np.zeros_like(uphill), uphill
    ahead = inverse @ left
    direction, size = ahead, float(np.sum(left * ahead))
    enough = 1e-8 * size
    for _ in range(1000):
        if size <= enough:  # at once where nothing is left to do
            break
        bent = product(direction)
        share = size / float(np.sum(direction * bent))
        found, left = found + share * direction, left - share * bent
        ahead = inverse @ left
        before, size = size, float(np.sum(left * ahead))
        direction = ahead + size / before * direction
    return found
