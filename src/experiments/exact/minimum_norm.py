"""Least squares whose rank may be short: of all minimisers the one of smallest norm, and what counts as null."""

import numpy as np

from experiments.errors import UserError
from experiments.exact.solution import TOO_LARGE
from experiments.exact.tsqr import Array, power_of_two

EPS = float(np.finfo(np.float64).eps)


def svd(columns: Array) -> tuple[Array, Array, Array]:
    """The singular value decomposition (u, s, vt). Raises UserError for numbers too large to be squared."""
    try:
        return np.linalg.svd(columns, full_matrices=False)
    except np.linalg.LinAlgError:
        raise UserError(TOO_LARGE) from None


def nonnull_directions(columns: Array, offset: Array, n: int) -> tuple[Array, Array, Array, Array]:
    """(u, s, vt, length) with `columns` = u * s @ vt * length, null directions left out: their number is the rank.

    Columns are brought to length 1; a direction counts as null when its singular value is below 16 eps
    (max(features, sqrt(n)) s_max + |v * cancellation|), where v is the direction and `cancellation` is, for
    each column, its length before over after centring by `offset` (features,): what rounding of the values as given
    can do. Filip's smallest, about 1e-10, stands far above it.
    """
    d = columns.shape[1]
    length = np.linalg.norm(columns, axis=0)
    before = np.hypot(length, np.sqrt(n) * np.abs(offset))
    varies = length > 8 * EPS * before
    length, before = np.where(varies, length, 1.0), np.where(varies, before, 1.0)
    if not varies.any() or not len(columns):
        return np.zeros((len(columns), 0)), np.zeros(0), np.zeros((0, d)), length
    u, s, vt = svd(np.where(varies, columns, 0.0) / length)
    kept = s > 16 * EPS * (max(d, np.sqrt(n)) * s[0] + np.linalg.norm(vt * (before / length), axis=1))
    return u[:, kept], s[kept], vt[kept], length


def minimum_norm(columns: Array, goal: Array, offset: Array, scale: Array, n: int) -> tuple[Array, int]:
    """Solution (features, targets) of columns @ w = goal and the rank; smallest norm of w / scale when short."""
    u, s, vt, length = nonnull_directions(columns, offset, n)
    rank = len(s)
    fit, v = u.T @ goal / s[:, None], vt.T
    if rank == columns.shape[1]:
        return v @ fit / length[:, None], rank
    # original weights live in the row space diag(length * scale) V = QR: Q R^-T fit has no null part
    spread = length * scale
    q, r = np.linalg.qr(v * spread[:, None])
    scaled = (q @ np.linalg.solve(r.T, fit)) * spread[:, None]
    scaled += v @ (fit - v.T @ scaled)  # columns of very different units: restore the fit to full precision
    return scaled / length[:, None], rank


def orthonormal_basis(x: Array, bias: bool) -> Array:
    """(n, rank): orthonormal columns that span what a linear model of x (n, features) can say, with a bias or not."""
    middle = np.median(x, axis=0) * bias  # what is near it is taken off without rounding
    columns = x - middle
    scale = power_of_two(columns)
    columns /= scale
    mean = columns.mean(axis=0) * bias
    u = nonnull_directions(columns - mean, mean + middle / scale, len(x))[0]
    return np.linalg.qr(np.hstack([np.ones((len(x), 1)), u]) if bias else u)[0]
