"""The cross entropy of logits: its value, slope and curvature, in float64.

Two classes have one output, the logit of the second; more have one output each. What a row's classes count is in q, its
`shares`, which hold the weights of classes and the smoothing of labels as torch's `cross_entropy` has them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.exact.tsqr import Array


def shares(labels: Any, classes: int, weight: Sequence[float] | None = None, smoothing: float = 0.0) -> Array:
    """q (n, classes) with which the mean loss is -sum(q * log p), for labels (n,) of 0 to classes - 1.

    `weight` (classes,) is what a row of a class counts; `smoothing`, 0 to 1, the share of each row's target that all
    classes get alike. Raises UserError for other labels, and where no row counts.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.isin(labels, np.arange(classes)).all():
        raise UserError(f"labels: give one whole number from 0 to {classes - 1} for each row")
    counts = np.ones(classes) if weight is None else np.asarray(weight, dtype=np.float64)
    hit = np.eye(classes)[labels.astype(np.int64)]
    total = float(np.sum(hit @ counts))
    if not total > 0:
        raise UserError("loss.weight: the classes of all training rows weigh 0; give one of them a weight above 0")
    return counts * ((1 - smoothing) * hit + smoothing / classes) / total


def outputs_of(classes: int) -> int:
    """Of the model: 1 for two classes."""
    return 1 if classes == 2 else classes


def shifted(logits: Array, classes: int) -> tuple[Array, Array, Array]:
    """(z - top, exp(z - top), log(sum(exp(z - top)))) of logits z (n, outputs), with the 0 of a first of two classes.

    The logarithm keeps its digits where one class has almost all.
    """
    z = np.hstack([np.zeros_like(logits), logits]) if classes == 2 else logits
    top = np.argmax(z, axis=1)[:, None]
    z = z - np.take_along_axis(z, top, axis=1)
    powers = np.exp(z)
    np.put_along_axis(powers, top, 0.0, axis=1)
    rest = np.log1p(np.sum(powers, axis=1, keepdims=True))
    np.put_along_axis(powers, top, 1.0, axis=1)
    return z, powers, rest


def value(logits: Array, q: Array) -> float:
    """-sum(q * log p)."""
    z, _, rest = shifted(logits, q.shape[1])
    return float(np.sum(q * (rest - z)))


def slopes(logits: Array, q: Array) -> tuple[Array, Array]:
    """The derivative by the logits (n, outputs), and the probabilities p (n, classes)."""
    _, powers, _ = shifted(logits, q.shape[1])
    p = powers / np.sum(powers, axis=1, keepdims=True)
    gradient = np.sum(q, axis=1, keepdims=True) * p - q
    return (gradient[:, 1:] if q.shape[1] == 2 else gradient), p


def curvature(p: Array, q: Array, i: int, j: int) -> Array:
    """The second derivative by the logits of outputs i and j, (n,): t (p_i [i = j] - p_i p_j), t a row's sum of q."""
    t = np.sum(q, axis=1)
    if p.shape[1] == 2:
        return t * p[:, 0] * p[:, 1]
    others = np.sum(np.delete(p, i, axis=1), axis=1)  # 1 - p_i, with its digits
    return t * p[:, i] * (others if i == j else -p[:, j])


def hessian(a: Array, p: Array, q: Array, extra: float = 0.0) -> Array:
    """By the coefficients c of the logits a @ c, a (n, k): (outputs * k, outputs * k), output by output.

    `extra` is added to the curvature of each two outputs, as a share of t.
    """
    outputs, k = outputs_of(p.shape[1]), a.shape[1]
    found = np.empty((outputs, k, outputs, k))
    t = np.sum(q, axis=1)
    for i in range(outputs):
        for j in range(i + 1):
            found[i, :, j] = a.T @ (a * (curvature(p, q, i, j) + extra * t)[:, None])
            found[j, :, i] = found[i, :, j]
    return found.reshape(outputs * k, outputs * k)
