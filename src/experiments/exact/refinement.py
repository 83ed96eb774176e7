"""A unique optimum of a table in memory, refined to the last digits of float64.

Residuals are worked out with twice the working precision, in pairs (high, low) of float64. Error-free transformations
(Knuth's two-sum, Dekker's and Veltkamp's two-product) need only float64 arithmetic that rounds to nearest, so they give
about 31 digits on every machine, where `numpy.longdouble` has 64, 80 or 128 bits.
"""

import numpy as np

from experiments.exact.minimum_norm import EPS
from experiments.exact.tsqr import Array, power_of_two

Pair = tuple[Array, Array]

VELTKAMP = 134217729.0  # 2^27 + 1 splits 53 bits into halves whose products are exact
MAX_STEPS = 12


def two_sum(a: Array, b: Array) -> Pair:
    """a + b exactly, as (rounded sum, its error)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a: Array, b: Array) -> Pair:
    """a * b exactly, as (rounded product, its error); magnitudes must stay below about 1e290."""
    product = a * b
    a_high, b_high = VELTKAMP * a, VELTKAMP * b
    a_high, b_high = a_high - (a_high - a), b_high - (b_high - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def add(a: Pair, b: Pair) -> Pair:
    """The sum of two pairs, to about 31 digits."""
    high, error = two_sum(a[0], b[0])
    low, low_error = two_sum(a[1], b[1])
    high, error = two_sum(high, error + low)
    return two_sum(high, error + low_error)


def multiply(a: Pair, b: Pair) -> Pair:
    """The product of two pairs, to about 31 digits."""
    high, low = two_product(a[0], b[0])
    return two_sum(high, low + (a[0] * b[1] + a[1] * b[0]))


def total(terms: Pair) -> Pair:
    """The sum over axis 0, by halving (one vector operation for each doubling of the length)."""
    high, low = terms
    while len(high) > 1:
        half, odd = divmod(len(high), 2)
        paired = add((high[:half], low[:half]), (high[half : 2 * half], low[half : 2 * half]))
        high, low = (
            paired if not odd else (np.concatenate([paired[0], high[-1:]]), np.concatenate([paired[1], low[-1:]]))
        )
    return high[0], low[0]


def refine(columns: Pair, target: Array) -> tuple[Pair, Pair]:
    """Coefficients (k,) and residuals (n,) of min ||columns @ c - target||, each as a pair.

    `columns` is (n, k) with full rank, as pairs; `target` is (n,). Source: Å. Björck, "Iterative refinement
    of linear least squares solutions I", BIT 7 (1967): coefficients and residual are refined together, as the
    solution of the augmented system [I A; A' 0] [r; c] = [y; 0]; each step gains about as many digits as 16
    minus those that the condition number takes.
    """
    n, k = columns[0].shape
    q, r = np.linalg.qr(columns[0])
    coefficients, residual = (np.zeros(k), np.zeros(k)), (np.zeros(n), np.zeros(n))
    transposed = (columns[0].T, columns[1].T)
    last = np.inf
    for _ in range(MAX_STEPS):
        fitted = total(multiply(transposed, (coefficients[0][:, None], coefficients[1][:, None])))
        left = add(add((target, np.zeros(n)), (-residual[0], -residual[1])), (-fitted[0], -fitted[1]))[0]
        normal = -total(multiply(columns, (residual[0][:, None], residual[1][:, None])))[0]
        shift = np.linalg.solve(r.T, normal)
        inner = q.T @ left - shift
        change = np.linalg.solve(r, inner)
        # measured in the fitted values, where the columns' scales do not matter
        size = float(np.linalg.norm(inner)) / (float(np.linalg.norm(r @ coefficients[0])) or 1.0)
        if not size < 0.5 * last and last < np.inf:
            break
        coefficients = add(coefficients, (change, np.zeros(k)))
        residual = add(residual, (left - q @ inner, np.zeros(n)))
        last = size if last < np.inf else 1e300
        if size < 1e-28:
            break
    return coefficients, residual


def refined(x: Array, y: Array, mean: Array, bias: bool) -> tuple[Array, Array, float]:
    """Weight (targets, features), bias (targets,) and loss of x (n, features), y (n, targets), whose rank is full.

    The centred columns are kept exactly, as pairs: x less `mean` (features,), which need not be exact.
    """
    n, d = x.shape
    middle = mean if bias else np.zeros(d)
    high, low = two_sum(x, -middle)
    scale, goal_scale = power_of_two(high), power_of_two(y)
    columns = (high / scale, low / scale)
    if bias:
        columns = (np.hstack([columns[0], np.ones((n, 1))]), np.hstack([columns[1], np.zeros((n, 1))]))
    weight, offset, squares = np.zeros((y.shape[1], d)), np.zeros(y.shape[1]), 0.0
    for t, unit in enumerate(goal_scale):
        (c, c_low), (residual, _) = refine(columns, y[:, t] / unit)
        weight[t] = c[:d] / scale * unit
        squares += float(np.sum((residual * unit) ** 2))
        if bias:
            at_zero = multiply((c[:d], c_low[:d]), (-middle / scale, np.zeros(d)))
            at_zero = add(total(at_zero), (c[d], c_low[d])) if d else (c[d], c_low[d])
            offset[t] = at_zero[0] * unit
    loss = squares / y.size
    noise = 8 * EPS * float(np.linalg.norm(y)) / np.sqrt(y.size)
    return weight, offset, 0.0 if loss <= noise**2 < np.inf else loss
