"""How steep and how round the loss of logistic regression is: what gradient descent can do on it."""

from typing import Any

import numpy as np

from experiments.exact.cross_entropy import CrossEntropy, hessian, slopes
from experiments.exact.solution import Conditioning, Optimum, Penalty
from experiments.exact.spectrum import BatchStability
from experiments.exact.tsqr import Array, as_table

LARGEST_HESSIAN = 2000
"""Parameters whose eigenvalues are worked out."""


def logistic_conditioning(
    x: Any, labels: Any, loss: CrossEntropy, penalty: Penalty, optimum: Optimum, bias: bool = True
) -> Conditioning:
    """The Hessian at the optimum of the loss as trained, by weights and biases, x (n, features) and labels (n,).

    Its eigenvalues are without those of the shifts that softmax cannot see, which are zero: the gradient never points
    there. Above LARGEST_HESSIAN parameters there are no eigenvalues, and the condition number is not a number; the
    stable learning rate is that of `steepest`, which holds everywhere and not only at the optimum.
    """
    x, q = as_table(x, "x").astype(np.float64), loss.shares(labels)
    a = np.hstack([x, np.ones((len(x), 1))]) if bias else x
    k, outputs = a.shape[1], loss.outputs
    top = steepest(a, q, penalty.l2)
    stable = 2 / top if top > 0 else np.inf
    if k * outputs > LARGEST_HESSIAN:
        return Conditioning(np.zeros(0), top, np.nan, stable, optimum.rank * outputs)
    p = slopes(x @ optimum.weight.T + optimum.bias, q)[1]
    costs = np.full(k, 2 * penalty.l2)
    costs[x.shape[1] :] = 0.0
    values = np.linalg.eigvalsh(hessian(a, p, q) + np.diag(np.tile(costs, outputs)))
    unseen = 0 if outputs == 1 else k if penalty.l2 == 0 else int(bias)
    values = values[unseen:]
    rank = int(np.sum(values > 1e-15 * len(values) * values[-1]))
    values = np.where(np.arange(len(values)) < len(values) - rank, 0.0, values)
    bottom = float(values[0])
    return Conditioning(values, float(values[-1]), float(values[-1]) / bottom if bottom > 0 else np.inf, stable, rank)


def steepest(a: Array, q: Array, l2: float = 0.0) -> float:
    """What no eigenvalue of the Hessian exceeds, whatever the weights: columns a (n, k), shares q (n, classes).

    It is that of sum(t_i a_i a_i') / 4 for two classes, / 2 for more, plus 2 l2, with t a row's sum of q: p (1 - p) is
    at most 1 / 4, and the eigenvalues of diag(p) - p p' are at most 1 / 2 (D. Boehning, "Multinomial logistic
    regression algorithm", Ann. Inst. Statist. Math. 44, 1992). Full-batch descent converges below 2 / this.
    """
    top = float(np.linalg.eigvalsh(a.T @ (a * np.sum(q, axis=1, keepdims=True)))[-1])
    return top * _roundest(q.shape[1]) + 2 * l2


def logistic_stability(squares: BatchStability, loss: CrossEntropy, l2: float = 0.0) -> BatchStability:
    """For mini-batches, from that of squared errors of one target on the same batches, in memory or as a stream.

    With weights of classes a batch is a weighted mean of its rows: give the stability of batches of ONE row then.
    """
    weight = np.ones(loss.classes) if loss.weight is None else np.asarray(loss.weight, dtype=np.float64)
    with np.errstate(divide="ignore"):
        moved = float(np.max(1 - loss.smoothing + loss.smoothing * np.mean(weight) / weight)) if loss.smoothing else 1.0
    bound = squares.lambda_max / 2 * moved * _roundest(loss.classes) + 2 * l2
    return BatchStability(bound, 2 / bound if bound > 0 else np.inf, False)


def _roundest(classes: int) -> float:
    """The largest second derivative of a row's cross entropy by its logits, in any direction."""
    return 0.25 if classes == 2 else 0.5
