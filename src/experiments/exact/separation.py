"""Whether classes can be separated, completely or but for ties: then cross entropy without a penalty has no optimum.

A direction v separates when no row's own class falls behind another along it, and some row's gets ahead: D v >= 0 and
D v != 0, with one row of D for each row of the table and each other class. The loss then falls along v for ever: A.
Albert and J. A. Anderson, "On the existence of maximum likelihood estimates in logistic regression models", Biometrika
71 (1984).
"""

import numpy as np

from experiments.exact.tsqr import Array

LARGEST = 10_000_000
"""Numbers of D that are looked at, which takes up to ten seconds."""


def separated_by(margins: Array, q: Array) -> bool:
    """Whether each row's own class (q > 0) is ahead: `margins` (n, classes) are logits less the row's largest."""
    if np.any(margins[q > 0] < 0) or np.all(q > 0):
        return False
    return float(np.max(margins[q == 0])) < -1e-10 * float(np.max(-margins))


def separable(a: Array, q: Array) -> bool | None:
    """Whether some direction separates the rows a (n, k) of classes q (n, classes) > 0; None where that is not known.

    By Stiemke's lemma there is one unless D' y = 0 for a y > 0, that is y = 1 + m with m >= 0: least squares with m
    not negative. Where that leaves a rest, the rest is such a v.
    """
    from scipy.optimize import nnls  # takes a third of a second to be imported

    d = differences(a, q)
    if d is None:
        return None
    try:
        m, _ = nnls(d.T, -np.sum(d, axis=0))
    except RuntimeError:  # too many steps
        return None
    rest = d.T @ (1 + m)
    ahead = d @ rest
    size = float(np.linalg.norm(rest))
    certain = size > 1e-8 * np.sqrt(len(d)) and np.min(ahead) > -1e-9 * size and np.max(ahead) > 1e-6 * size
    return bool(certain)


def differences(a: Array, q: Array) -> Array | None:
    """D with rows of length 1, or None where it is too large.

    Its columns are those of all outputs but the first: what a shift of all of them does cannot be seen.
    """
    k, classes = a.shape[1], q.shape[1]
    pairs = [(own, other) for own in range(classes) for other in range(classes) if own != other]
    if sum(np.count_nonzero(q[:, own]) for own, _ in pairs) * k * (classes - 1) > LARGEST:
        return None
    found = []
    for own, other in pairs:
        rows = a[q[:, own] > 0]
        part = np.zeros((len(rows), classes, k))
        part[:, own], part[:, other] = rows, -rows
        found.append(part[:, 1:].reshape(len(rows), (classes - 1) * k))
    d = np.concatenate(found)
    length = np.linalg.norm(d, axis=1)
    some = length > 1e-12 * np.max(length, initial=0.0)  # the others are zero but for rounding
    return d[some] / length[some, None]
