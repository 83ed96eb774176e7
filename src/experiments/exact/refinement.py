"""A unique optimum of a table in memory, refined to the last digits of float64."""

import numpy as np

from experiments.exact import extended_precision as extended
from experiments.exact.minimum_norm import EPS
from experiments.exact.tsqr import power_of_two

Array = np.ndarray


def refined(x: Array, y: Array, mean: Array, bias: bool) -> tuple[Array, Array, float]:
    """Weight (targets, features), bias (targets,) and loss of x (n, features), y (n, targets), whose rank is full.

    The centred columns are kept exactly, as pairs: x less `mean` (features,), which need not be exact.
    """
    n, d = x.shape
    middle = mean if bias else np.zeros(d)
    high, low = extended.two_sum(x, -middle)
    scale, goal_scale = power_of_two(high), power_of_two(y)
    columns = (high / scale, low / scale)
    if bias:
        columns = (np.hstack([columns[0], np.ones((n, 1))]), np.hstack([columns[1], np.zeros((n, 1))]))
    weight, offset, squares = np.zeros((y.shape[1], d)), np.zeros(y.shape[1]), 0.0
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
    return weight, offset, loss if loss > noise**2 else 0.0
