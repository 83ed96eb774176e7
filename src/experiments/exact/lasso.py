"""Least squares with absolute weights penalised: which weights are zero is found in finitely many steps."""

import numpy as np

from experiments.exact.tsqr import Array

STEPS = 10_000


def lasso(columns: Array, goal: Array, l1: Array) -> Array:
    """w (k,) of min |goal - columns @ w|^2 / 2 + sum(l1 * |w|), columns (n, k), goal (n,), l1 (k,) >= 0.

    The active set method of H. Lee, A. Battle, R. Raina and A. Ng ("Efficient sparse coding algorithms", NIPS 2006):
    with the signs of the weights given, the loss is quadratic and solved at once; on the way there, weights that reach
    zero leave the set, and zeros whose gradient exceeds l1 enter it, all that do or, where that does not lower the
    loss, the one that exceeds it most. Coordinate descent would be shorter, but takes a number of sweeps that grows
    with the condition number of the columns, and no sweep of ours is compiled. `duality_gap` tells how good it is.
    """
    length = np.linalg.norm(columns, axis=0)
    length[length == 0] = 1.0
    unit, bounds = columns / length, l1 / length
    gram, rounding = unit.T @ unit, 1e-14 * np.max(np.abs(unit.T @ goal), initial=0.0)
    w, sign = np.zeros(len(l1)), np.zeros(len(l1))
    settled, several = True, True  # whether w is the best with its signs; whether all zeros that want to may leave
    done = False
    for _ in range(STEPS):
        uphill = unit.T @ (unit @ w - goal)
        excess = np.where(sign == 0, np.abs(uphill) - bounds, 0.0) * settled
        entering = excess > rounding
        if settled and not entering.any():
            if done:
                break
            done = True  # once more from here: the second solution has the digits that the first one rounded off
        if not several:
            entering &= excess == np.max(excess)
        trial = np.where(entering, -np.sign(uphill), sign)
        step, end = _step(gram, uphill + bounds * trial, trial != 0)
        share = _lowest(uphill @ step, float(np.sum((unit @ step) ** 2)), bounds, w, step, end)
        if share > 0:
            moved = w + share * step
            moved[np.abs(moved) <= 1e-14 * np.maximum(np.abs(w), np.abs(share * step))] = 0.0
            w, sign = moved, np.sign(moved)
            settled, several = bool(np.all(sign == trial)), True
        elif not settled or (several and entering.any()):
            settled, several = True, not settled
        else:
            break  # nothing is left but rounding
    return w / length


def _step(gram: Array, uphill: Array, on: Array) -> tuple[Array, float]:
    """The step (k,) to the lowest point along the weights `on`, and its end: 1, or inf where it only goes down.

    The latter is a direction without curvature, along which only the penalty's slope is left.
    """
    step = np.zeros(len(uphill))
    curvature, axes = np.linalg.eigh(gram[np.ix_(on, on)])
    along = axes.T @ uphill[on]
    flat = curvature <= 1e-14 * np.max(curvature, initial=0.0)
    if np.linalg.norm(along[flat]) > 1e-10 * np.linalg.norm(along):
        step[on] = -axes[:, flat] @ along[flat]
        return step, np.inf
    step[on] = -axes[:, ~flat] @ (along[~flat] / curvature[~flat])
    return step, 1.0


def _lowest(slope: float, bend: float, bounds: Array, w: Array, step: Array, end: float) -> float:
    """The share of the step with the lowest loss: of its end, and of those before it where a weight reaches zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(step != 0, -w / step, 0.0)
    shares = np.r_[0.0, shares[(shares > 0) & (shares < end)]]
    if end < np.inf:
        shares = np.r_[shares, end]
    change = shares * slope + shares**2 * bend / 2 + (np.abs(w + np.outer(shares, step)) - np.abs(w)) @ bounds
    return float(shares[np.argmin(change)]) if np.min(change) < 0 else 0.0


def duality_gap(columns: Array, goal: Array, l1: Array, w: Array) -> float:
    """How far the loss of `lasso` at w can be above the smallest: at most this.

    The dual point is the residual r, made shorter until no |columns' r| exceeds its l1 (to nothing, where a column
    without a penalty is not orthogonal to r); written so that no large numbers cancel.
    """
    residual = goal - columns @ w
    pull = columns.T @ residual
    over = np.abs(pull) > l1
    share = float(np.min(l1[over] / np.abs(pull[over]), initial=1.0))
    return float(residual @ residual * (1 - share) ** 2 / 2 + np.sum(l1 * np.abs(w) - share * w * pull))
